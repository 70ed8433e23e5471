"""Pretraining of an encoder-decoder: a text is changed, and written as it was."""

from __future__ import annotations

from multigraft import Brief, RowError
from multigraft.contracts.objectives import Row
from multigraft.contracts.types import Arrays
from multigraft.models.tasks.teacher_forcing import TeacherForced
from multigraft_text.seq2seq.own_tokens import Frame
from multigraft_text.seq2seq.teaching import refuse_others


class Restored(TeacherForced):
    """Teacher forcing of what `view` makes of each row, by the chance of its row and epoch; the
    bundle gives the encoder's embedding."""

    def __init__(self, brief: Brief) -> None:
        refuse_others(brief)
        super().__init__(brief)
        self.spec = brief.reader.spec()
        self.frame = Frame.of(self.spec, end=self.writing.stop[0])

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """Nothing yet. Raises RowError for a pair of texts, whose inner end would be written."""
        if row.get("text_pair") is not None:
            raise RowError("is a second text; write both into one", column="text_pair")
        return {}
