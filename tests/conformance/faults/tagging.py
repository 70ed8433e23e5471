"""A tiny tagging plugin without a fault, and what can be wrong beside the values themselves.

Its reader puts a 9 in front of the numbers and behind them, as [CLS] and [SEP] stand around a text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

import multigraft as mg
from conformance.faults.good import WIDTH, Plugin, Reader
from multigraft.contracts.objectives import Objective
from multigraft.contracts.records import Arrays, Augment

TAGS = ["below", "above"]
IGNORED = -100


class Framed(Reader):
    def read(self, raw: Any) -> Arrays:
        values = super().read(raw)["values"]
        framed = np.concatenate([[9], values, [9]]).astype(np.float32)
        return {"values": framed, "mask": np.ones(len(framed), np.int64)}


class TagHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, len(TAGS))

    def forward(self, features: mg.Features, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"logits": self.linear(features.sequence)}


class Tagging(Objective):
    """Whether each number lies below 0: a tag for each, none for the 9s."""

    monitor = "loss"
    greater_is_better = False
    fills: Mapping[str, float] = {"tags": IGNORED}

    def __init__(self, brief: mg.Brief) -> None:
        self.brief = brief

    def head(self) -> nn.Module:
        return TagHead()

    def encode(self, row: Mapping[str, Any]) -> Arrays:
        tags = [int(float(word) > 0) for word in row["readings"].split()]
        return {"tags": np.array(self.around(tags), np.int64)}

    def around(self, tags: list[int]) -> list[int]:
        return [IGNORED, *tags, IGNORED]

    def loss(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> mg.RowLoss:
        losses = F.cross_entropy(
            outputs["logits"].transpose(1, 2), batch["tags"], ignore_index=IGNORED, reduction="none"
        )
        return mg.RowLoss(losses.sum(1), (batch["tags"] != IGNORED).sum(1).float())

    def serve(self, features: mg.Features, outputs: dict[str, Tensor] | None) -> dict[str, Tensor]:
        assert outputs is not None and features.mask is not None
        return {"logits": outputs["logits"], "inner": self.inner(features.mask.long())}

    def inner(self, mask: Tensor) -> Tensor:
        """Which positions are a number's."""
        place = mask.cumsum(1)
        return mask * (place > 1) * (place < mask.sum(1, keepdim=True))


class Shifted(Tagging):
    def around(self, tags: list[int]) -> list[int]:
        return [*tags, IGNORED, IGNORED]


class NamesTheFrame(Tagging):
    def inner(self, mask: Tensor) -> Tensor:
        return mask


class OfTheUnchanged(Tagging):
    """Keeps the place of each tag as if no position could go."""

    def loss(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> mg.RowLoss:
        if outputs["logits"].shape[1] != batch["tags"].shape[1]:
            raise ValueError("there are other tags than positions")
        return super().loss(outputs, batch)


def tags(targets: Any, outputs: Arrays) -> list[dict[str, Any]]:
    best = outputs["logits"].argmax(-1)
    return [
        {"tags": [TAGS[tag] for tag in row[inner.astype(bool)]]}
        for row, inner in zip(best, outputs["inner"], strict=True)
    ]


def padded_tags(targets: Any, outputs: Arrays) -> list[dict[str, Any]]:
    return [{"tags": [TAGS[tag] for tag in row]} for row in outputs["logits"].argmax(-1)]


def joined(outputs: Arrays, lengths: np.ndarray) -> Arrays:
    """The windows' positions one after another."""
    sizes = lengths.astype(int).tolist()
    return {
        name: np.concatenate([row[:size] for row, size in zip(array, sizes, strict=True)])[None]
        for name, array in outputs.items()
    }


def joined_with_padding(outputs: Arrays, lengths: np.ndarray) -> Arrays:
    found = {name: np.concatenate(list(array))[None] for name, array in outputs.items()}
    return {**found, "inner": np.ones_like(found["inner"])}


def of_one_size(outputs: Arrays, lengths: np.ndarray) -> Arrays:
    size = int(lengths[-1]) * len(lengths)
    return {name: array.reshape(1, size, *array.shape[2:]) for name, array in outputs.items()}


def shortened(strength: str, reader: Any, options: Mapping[str, Any]) -> Augment:
    def change(row: Arrays, rng: np.random.Generator) -> Arrays:
        return {**row, **{name: row[name][:-1] for name in ("values", "mask")}}

    return change


def forgetful(strength: str, reader: Any, options: Mapping[str, Any]) -> Augment:
    return lambda row, rng: {name: row[name] * 1 for name in ("values", "mask")}


def some_tags(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    return {}


def tagging(modality: Mapping[str, Any] | None = None, **task: Any) -> Plugin:
    """The tagging plugin, one thing of it changed."""
    fields = {
        "name": "readings-tagging",
        "columns": (),
        "targets": None,
        "samples": some_tags,
        "objective": Tagging,
        "decode": tags,
        "merge": joined,
        "options": {},
    }
    return Plugin(modality={"reader": Framed, **(modality or {})}, task={**fields, **task})
