"""Rows with a text that is to be written, without torch: which of them can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multigraft.contracts.row_objectives import Row, RowBrief, RowObjective
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError


class WrittenRows(RowObjective):
    """Rows with a text in `column`, of as many tokens as the model writes at most.

    A bundle is measured by the texts that it writes, and has no loss.
    """

    whole = True
    column = "target"

    def __init__(self, brief: RowBrief) -> None:
        self.longest = int(brief.options["max_target_length"] or brief.room or 1)

    def tokens(self, text: str) -> Sequence[int]:
        """The tokens of a text and what ends it. Raises RowError."""
        raise NotImplementedError

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``labels`` int64 [T]. Raises RowError for a target that is empty or too long."""
        try:
            tokens = self.tokens(row[self.column])
        except RowError as error:
            raise RowError(str(error), column=self.column) from error
        if len(tokens) > self.longest:
            raise RowError(
                f"has {len(tokens)} tokens, the end counted, and at most {self.longest} are "
                "written: raise task.max_target_length, or shorten the text",
                column=self.column,
            )
        return {"labels": np.array(tokens, dtype=np.int64)}


class RowsByReader(WrittenRows):
    """Rows with a text that the reader cuts, a `WritingReader`."""

    def __init__(self, brief: RowBrief) -> None:
        super().__init__(brief)
        self.reader: Any = brief.reader

    def tokens(self, text: str) -> Sequence[int]:
        """The reader's tokens of a text and what ends it. Raises RowError."""
        found: Sequence[int] = self.reader.written(text)
        return found
