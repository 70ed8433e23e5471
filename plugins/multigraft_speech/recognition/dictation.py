"""Speech recognition by a decoder that writes what is said (Radford et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multigraft import Brief, WrittenMetric
from multigraft.contracts.reader import WritingReader
from multigraft.errors import RecipeError
from multigraft.models.tasks.teacher_forcing import WrittenText

BATCH = 8
"""Sounds that are written about together: what a decoder remembers of each is large."""


class Dictation(WrittenText):
    """Transcripts as they are written, learned by teacher forcing; judged by the error rate of
    words, both sides normalised."""

    column = "written"
    judged = WrittenMetric(metric="wer", greater_is_better=False)

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        reader: Any = brief.reader
        self.reader: WritingReader = reader
        speech = self.writing.speech
        languages = {} if speech is None else speech.languages
        if languages and not {*languages.values()} & {*self.writing.start}:
            raise RecipeError(
                [
                    f"backbone.language: these weights write {len(languages)} "
                    "languages; say which the transcripts are in, as language: en"
                ]
            )

    def tokens(self, text: str) -> Sequence[int]:
        """The tokens of a transcript and the end. Raises RowError."""
        return self.reader.written(text)

    def asked(self) -> dict[str, Any]:
        """Greedily, a few sounds together."""
        return {**super().asked(), "batch_size": BATCH}
