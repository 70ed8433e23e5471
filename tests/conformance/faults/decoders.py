"""Faults of a backbone whose decoder writes: each changes one thing of a tiny Marian's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import multigraft as mg
from multigraft.contracts.features import Batch
from multigraft.contracts.generation import Tensors
from multigraft.contracts.types import Spec
from multigraft_text.seq2seq.build import build_marian
from multigraft_text.seq2seq.module import EncoderDecoder
from multigraft_text.seq2seq.records import MARIAN


class Forgets(EncoderDecoder):
    """Takes each token for the first."""

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        nothing = {name: each[:, :, :0] for name, each in past.items()}
        mask = new.mask[:, -new.ids.shape[1] :]
        own = mg.NewTokens(new.ids, mask, (mask.cumsum(1) - 1).clamp(min=0), new.kept)
        logits, present = super().step(own, nothing, memory)
        return logits, {name: torch.cat([past[name], present[name]], 2) for name in past}


class Misremembers(EncoderDecoder):
    """Gives the mask of the source under another name."""

    def remember(self, features: mg.Features, batch: Batch) -> Tensors:
        memory = dict(super().remember(features, batch))
        return {"source": memory.pop("mask"), **memory}


class Endless(EncoderDecoder):
    """Does not say what ends a text."""

    @property
    def writing(self) -> mg.Writing:
        return replace(super().writing, stop=())


class Loops(EncoderDecoder):
    """Reads the new tokens one by one, which no graph does for any number of them."""

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        length, found = new.ids.shape[1], []
        before, one = new.mask.shape[1] - length, torch.zeros(1, dtype=torch.int64)
        for place in range(length):
            part = slice(place, place + 1)
            mask, ids = new.mask[:, : before + place + 1], new.ids[:, part]
            logits, past = super().step(
                mg.NewTokens(ids, mask, new.positions[:, part], one), past, memory
            )
            found.append(logits)
        return torch.cat(found, 1)[:, new.kept], past


def _as(kind: type[EncoderDecoder]) -> Callable[[mg.Origin, Spec], EncoderDecoder]:
    def build(origin: mg.Origin, spec: Spec) -> EncoderDecoder:
        module: Any = build_marian(origin, spec)
        module.__class__ = kind
        return module  # type: ignore[no-any-return]

    return build


@dataclass(frozen=True, eq=False)
class Plugin:
    """A backbone for texts whose module is of another class."""

    kind: type[EncoderDecoder]

    @mg.hookimpl
    def register_backbones(self) -> Sequence[mg.Backbone]:
        return [replace(MARIAN, name="odd", build=_as(self.kind))]
