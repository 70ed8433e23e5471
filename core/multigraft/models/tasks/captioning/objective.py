"""Captioning: a decoder learns to write about what other branches read, by teacher forcing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.generation import Generating, WrittenMetric, read_through
from multigraft.contracts.objectives import Brief, Outputs
from multigraft.errors import RecipeError
from multigraft.models.branches import Branches
from multigraft.models.tasks.captioning.bridge import (
    BridgedDecoder,
    Prefix,
    Source,
    bridged_memory,
)
from multigraft.models.tasks.captioning.task import PREFIX_LENGTH
from multigraft.models.tasks.teacher_forcing import WrittenText
from multigraft.models.tasks.writing_options import asked_by

NEEDED = ("writing", "remember", "step")
"""What an encoder-decoder has besides what every backbone has."""


class CaptionHead(nn.Module):
    """The bridge, and the decoder behind the true tokens, whose weights are the backbone's."""

    def __init__(self, objective: Captioning, bridge: nn.Module) -> None:
        super().__init__()
        self.bridge = bridge
        self._tied = (objective,)  # in a tuple, where nn.Module does not look for submodules

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """``logits`` [B, T, V] of the tokens of ``labels``."""
        (objective,) = self._tied
        tokens, real = objective.feed(batch)
        decoder = objective.decoder
        memory = bridged_memory(self.bridge, decoder, features)
        logits = read_through(decoder, objective.writing, tokens, real, memory)
        return {"logits": logits[:, objective.given :]}


class Captioning(WrittenText):
    """A text in the column ``caption``: judged by chrF.

    The decoder of an encoder-decoder attends to what is read in the place of its encoder's states;
    a language model reads it as vectors in front of the text.
    """

    column = "caption"
    whole = False
    judged = WrittenMetric(metric="chrf", greater_is_better=True)

    def __init__(self, brief: Brief) -> None:
        assert isinstance(brief.backbone, Branches)
        self.branches = brief.backbone
        self.crosses, decoder = _decoder_of(self.branches, brief.options["prefix_length"])
        super().__init__(replace(brief, backbone=decoder))
        self.reader: Any = brief.reader

    def head(self) -> nn.Module:
        """A new bridge, and the branch's decoder."""
        if self.crosses:
            widths = {name: branch.width for name, branch in self.branches.read.items()}
            return CaptionHead(self, Source(widths, self.decoder.width))
        length, width, scale = self.decoder.length, self.decoder.width, self.decoder.scale
        return CaptionHead(self, Prefix(self.branches.width, length, width, scale=scale))

    def tokens(self, text: str) -> Sequence[int]:
        """The tokens of a caption and what ends it. Raises RowError."""
        found: Sequence[int] = self.reader.written(text)
        return found

    def generating(self, head: nn.Module) -> Generating:
        """The decoder with its bridge."""
        assert isinstance(head, CaptionHead)
        return replace(super().generating(head), decoder=BridgedDecoder(head.bridge, self.decoder))

    def asked(self) -> dict[str, Any]:
        """Greedily, or with as many beams as the task says."""
        return {**super().asked(), **asked_by(self.options)}


def _decoder_of(branches: Branches, length: int | None) -> tuple[bool, nn.Module]:
    """Whether the writing branch's decoder attends to what is read, and that decoder. Raises
    RecipeError where the branch has none."""
    branch = branches.writer
    assert branch is not None
    backbone: Any = branch.backbone
    if all(hasattr(backbone, name) for name in NEEDED):
        if length is not None:
            raise RecipeError(
                [
                    "task.prefix_length: is for language models (gpt-...); the decoder of a "
                    f"{type(backbone).__name__} attends to what is read: leave it out"
                ]
            )
        return True, backbone
    if hasattr(backbone, "prefix_decoder"):
        found: nn.Module | None = backbone.prefix_decoder(length or PREFIX_LENGTH)
        if found is not None:
            return False, found
    raise RecipeError(
        [
            f"backbone.{branch.name}: a {type(backbone).__name__} that does not write; backbones "
            "that fit: language models (gpt-..., transformers/... that read from left to right), "
            "encoder-decoders (t5-..., bart-..., marian-...), and those of plugins whose module "
            f"has {', '.join(NEEDED)}, or prefix_decoder"
        ]
    )
