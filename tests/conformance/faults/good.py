"""A tiny plugin without a fault: readings of numbers. Each fault of the table changes one thing of
it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

import multigraft as mg
from helpers.residual_network import ResidualNet, building
from multigraft.contracts.features import Batch
from multigraft.contracts.types import Arrays, Spec
from multigraft.models.tasks import classification_task

WIDTH = 4


class Reader:
    """``"1 2.5"`` -> ``values`` float32 [T] and ``mask`` int64 [T]."""

    fills: Mapping[str, float] = {"values": 0, "mask": 0}

    def __init__(self, spec: Spec) -> None:
        self.settings = spec

    def read(self, raw: Any) -> Arrays:
        try:
            values = np.array(raw.split(), dtype=np.float32) * self.settings["scale"]
        except (AttributeError, ValueError) as error:
            raise mg.RowError(f"holds what is no number: {error}") from error
        if not len(values):
            raise mg.RowError("holds no numbers")
        return {"values": values.astype(np.float32), "mask": np.ones(len(values), np.int64)}

    def length(self, row: Arrays) -> int:
        return len(row["values"])

    def spec(self) -> Spec:
        return self.settings


class Net(ResidualNet):
    """Numbers, two blocks and a norm."""

    width = WIDTH

    def __init__(self) -> None:
        super().__init__(nn.Linear(1, WIDTH), WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def inputs(self, batch: Batch) -> Tensor:
        return batch["values"].unsqueeze(-1)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        (folder / "labels.json").write_text(json.dumps(list(labels)))
        super().save(folder, head=head, labels=labels)


def good_values(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    return [
        " ".join(f"{value:.3f}" for value in rng.normal(size=rng.integers(3, 9)))
        for _ in range(count)
    ]


def bad_values(folder: Path) -> list[Any]:
    return ["", "one", 3]


def reader_spec(origin: mg.Origin, options: Mapping[str, Any]) -> Spec:
    return {"scale": 2.0}


@dataclass(frozen=True, eq=False)
class Plugin:
    """What the tiny plugin registers; a fault replaces one of these."""

    modality: Mapping[str, Any] | None = None
    backbone: Mapping[str, Any] | None = None
    task: Mapping[str, Any] | None = None
    strategies: tuple[mg.Strategy, ...] = ()

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        fields: dict[str, Any] = {
            "name": "readings",
            "reader": Reader,
            "columns": ("readings",),
            "samples": mg.Samples(good=good_values, bad=bad_values),
        }
        return [mg.Modality(**{**fields, **(self.modality or {})})]

    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        fields: dict[str, Any] = {
            "name": "steps",
            "modality": "readings",
            "sizes": {"tiny": mg.Size()},
            "build": building(Net),
            "reader": reader_spec,
        }
        return [mg.Backbone(**{**fields, **(self.backbone or {})})]

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        task = classification_task("readings-classification", "readings")
        return [mg.Task(**{**vars(task), **(self.task or {})})]

    @mg.hookimpl
    def register_strategies(self) -> list[mg.Strategy]:
        return list(self.strategies)
