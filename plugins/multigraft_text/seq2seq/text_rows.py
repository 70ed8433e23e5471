"""Rows of texts with others that are to be written, without torch."""

from __future__ import annotations

from collections.abc import Sequence

from multigraft import RowBrief
from multigraft.models.tasks.written_rows import WrittenRows
from multigraft_text.seq2seq.targets import TargetReader

END = 0
"""Of a text that is only counted: any token ends it."""


class TextRows(WrittenRows):
    """Any text from a text."""

    monitor = "cer"
    greater_is_better = False

    def __init__(self, brief: RowBrief) -> None:
        super().__init__(brief)
        self.targets = TargetReader(brief.reader.spec(), end=END)

    def tokens(self, text: str) -> Sequence[int]:
        """The tokens of a text and what ends it. Raises RowError."""
        return self.targets.read(text)


class SummaryRows(TextRows):
    """A short text from a long one, of which the beginning may do."""

    whole = False
    column = "summary"
    monitor = "rougeL"
    greater_is_better = True


class TranslationRows(TextRows):
    """A text in another language."""

    monitor = "chrf"
    greater_is_better = True
