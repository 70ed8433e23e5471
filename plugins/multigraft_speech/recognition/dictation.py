"""Speech recognition by a decoder that writes what is said (Radford et al. 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multigraft import Brief, WrittenMetric
from multigraft.errors import RecipeError
from multigraft.models.tasks.teacher_forcing import WrittenText
from multigraft_speech.whisper.tokens import Tokens

BATCH = 8
"""Sounds that are written about together: what a decoder remembers of each is large."""


class Dictation(WrittenText):
    """Transcripts as they are written, learned by teacher forcing; judged by the error rate of
    words, both sides normalised."""

    column = "written"
    judged = WrittenMetric(metric="wer", greater_is_better=False)

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        backbone: Any = brief.backbone
        speech = self.writing.speech
        if speech is not None and speech.languages and not backbone.prefix:
            raise RecipeError(
                [
                    f"backbone.language: these weights write {len(speech.languages)} "
                    "languages; say which the transcripts are in, as language: en"
                ]
            )
        self.said = Tokens(backbone.spec["tokenizer.json"], backbone.spec["end"])

    def tokens(self, text: str) -> Sequence[int]:
        """The tokens of a transcript and the end. Raises RowError."""
        return self.said.read(text)

    def asked(self) -> dict[str, Any]:
        """Greedily, a few sounds together."""
        return {**super().asked(), "batch_size": BATCH}
