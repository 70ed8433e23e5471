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
from multigraft.contracts.reader import Augment
from multigraft.contracts.types import Arrays

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

    def encode(self, row: Mapping[str, Any], arrays: Arrays) -> Arrays:
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


class Tags(mg.Answers):
    """A tag for each number, of several windows one after another."""

    joins = True

    def __init__(self, targets: Any) -> None:
        del targets

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        return {"tags": [tag for window in windows for tag in self.tags(window)]}

    def tags(self, window: mg.Window) -> list[str]:
        inner = window.outputs["inner"].astype(bool)
        return [TAGS[tag] for tag in window.outputs["logits"].argmax(-1)[inner]]


class PaddedTags(Tags):
    joins = False

    def tags(self, window: mg.Window) -> list[str]:
        return [TAGS[tag] for tag in window.outputs["logits"].argmax(-1)]


class JoinedWithPadding(Tags):
    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        found = super().answer(raw, windows, asked)
        return (
            found
            if len(windows) == 1
            else {**found, "sizes": [len(window.outputs["logits"]) for window in windows]}
        )


class OfOneSize(Tags):
    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Any:
        rows = [window.row["values"] for window in windows]
        return {**super().answer(raw, windows, asked), "sum": float(np.stack(rows).sum())}


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
        "stratify": None,
        "targets": None,
        "samples": some_tags,
        "objective": Tagging,
        "answers": Tags,
        "options": {},
    }
    return Plugin(modality={"reader": Framed, **(modality or {})}, task={**fields, **task})
