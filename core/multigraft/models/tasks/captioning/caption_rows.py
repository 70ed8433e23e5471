"""Rows with captions, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multigraft.contracts.row_objectives import RowBrief
from multigraft.models.tasks.written_rows import WrittenRows


class CaptionRows(WrittenRows):
    """A text about what is read, in the column ``caption``."""

    whole = False
    column = "caption"
    monitor = "chrf"
    greater_is_better = True

    def __init__(self, brief: RowBrief) -> None:
        super().__init__(brief)
        self.reader: Any = brief.reader

    def tokens(self, text: str) -> Sequence[int]:
        """The tokens of a caption and what ends it. Raises RowError."""
        found: Sequence[int] = self.reader.written(text)
        return found
