"""Texts from texts: what an encoder-decoder learns by teacher forcing, and how it is judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from multigraft import Brief, MultigraftError, Writing, WrittenMetric
from multigraft.models.tasks.teacher_forcing import WrittenText
from multigraft.models.tasks.writing_options import asked_by
from multigraft_text.seq2seq.targets import TargetReader

NEEDED = ("writing", "remember", "step")
"""What the module of an encoder-decoder has besides what every backbone has."""


def refuse_others(brief: Brief) -> None:
    """Refuse a backbone whose decoder does not write. Raises MultigraftError with what it lacks."""
    backbone: Any = brief.backbone
    if lacking := [name for name in NEEDED if not hasattr(backbone, name)]:
        raise MultigraftError(
            f"this task needs an encoder-decoder, and {type(backbone).__name__} is none: its "
            f"module has no {', '.join(lacking)}; backbones that fit: t5-..., bart-..., "
            "marian-..., and those of plugins whose module has "
            f"{', '.join(NEEDED)} (docs/plugins/encoder-decoders.md)"
        )
    writing: Writing = backbone.writing
    if not (writing.memory and writing.start and writing.stop):
        raise MultigraftError(
            f"the writing of {type(backbone).__name__} lacks a memory, a start or a stop; an "
            "encoder-decoder has all three (docs/plugins/encoder-decoders.md)"
        )


class Written(WrittenText):
    """A text by the backbone's tokenizer."""

    judged = WrittenMetric(metric="cer", greater_is_better=False)

    def __init__(self, brief: Brief) -> None:
        refuse_others(brief)
        super().__init__(brief)
        self.targets = TargetReader(brief.reader.spec(), end=self.writing.stop[0])

    def tokens(self, text: str) -> Sequence[int]:
        """The tokens of a text and what ends it. Raises RowError."""
        return self.targets.read(text)

    def asked(self) -> dict[str, Any]:
        """Greedily, or with as many beams as the task says."""
        return {**super().asked(), **asked_by(self.options)}


class TextToText(Written):
    """Any text from a text: judged by the error rate of its characters."""


class Summarization(Written):
    """A short text from a long one, of which the beginning may do: judged by ROUGE-L."""

    whole = False
    column = "summary"
    judged = WrittenMetric(metric="rougeL", greater_is_better=True)


class Translation(Written):
    """A text in another language: judged by chrF, which says something of small sets too."""

    judged = WrittenMetric(metric="chrf", greater_is_better=True)
