"""A complete small plugin for the engine's own tests: lists of numbers, one tiny network, two tasks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import multigraft as mg
from multigraft.features import Batch, Features, mean_pool, real_positions
from multigraft.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.records import Arrays, Spec
from multigraft.tasks import classification_task

WIDTH = 8


class NumbersReader:
    """``"1 2 3"`` -> three frames."""

    fills: Mapping[str, float] = {"values": 0, "attention_mask": 0}

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def read(self, raw: Any) -> Arrays:
        try:
            values = np.array([float(word) for word in str(raw).split()], dtype=np.float32)
        except ValueError as error:
            raise mg.RowError(f"holds something that is no number: {error}") from error
        if not len(values):
            raise mg.RowError("is empty")
        values = values[: self._spec["longest"]]
        return {"values": values, "attention_mask": np.ones(len(values), dtype=np.int64)}

    def length(self, row: Arrays) -> int:
        return len(row["values"])

    def spec(self) -> Spec:
        return self._spec


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)
        self.dropout = nn.Dropout(0.1)

    def forward(self, hidden: Tensor) -> Tensor:
        added: Tensor = hidden + self.dropout(torch.tanh(self.linear(self.norm(hidden))))
        return added


class NumbersBackbone(nn.Module):
    width = WIDTH
    head_bias = True

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.zeros(WIDTH))  # outside every block, before the first
        self.embed = nn.Linear(1, WIDTH)
        self.layers = nn.ModuleList(Block() for _ in range(depth))
        self.last_norm = nn.LayerNorm(WIDTH)  # outside every block, after the last

    @property
    def blocks(self) -> Sequence[nn.Module]:
        return [self.embed, *self.layers]

    def forward(self, batch: Batch) -> Features:
        mask = real_positions(batch)
        hidden = self.embed(batch["values"].unsqueeze(-1)) + self.offset
        for layer in self.layers:
            hidden = layer(hidden)
        hidden = self.last_norm(hidden)
        return Features(pooled=mean_pool(hidden, mask), sequence=hidden, mask=mask)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        save_file(self.state_dict(), folder / "numbers.safetensors")
        (folder / "numbers.json").write_text(json.dumps({"depth": len(self.layers), "labels": list(labels)}))


def build(origin: mg.Origin, spec: Spec) -> nn.Module:
    backbone = NumbersBackbone(origin.config["depth"])
    if origin.path is not None:
        backbone.load_state_dict(load_file(origin.path / "numbers.safetensors"))
    return backbone


def reader_spec(origin: mg.Origin, options: Mapping[str, Any]) -> Spec:
    return {"kind": "numbers", "longest": options.get("longest", 20)}


class NextNumber(Objective):
    """Predict each number from the one before, with noise added to the input: a pretraining task."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief) -> None:
        self.brief = brief

    def head(self) -> nn.Module:
        return SequenceHead()

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        noise = rng.normal(0, 0.1, batch["values"].shape).astype(np.float32)
        return {**batch, "values": batch["values"] + noise, "clean": batch["values"]}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        real = batch["attention_mask"].float()
        error = (outputs["next"] - batch["clean"]) ** 2 * real
        return RowLoss(error.sum(1), real.sum(1))


class SequenceHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, 1)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        return {"next": self.linear(features.sequence).squeeze(-1)}


class Numbers:
    """The plugin object."""

    @mg.hookimpl
    def register_modalities(self) -> list[mg.Modality]:
        options = {"longest": mg.Option(default=20, low=1, help="numbers that are read")}
        return [mg.Modality(name="numbers", reader=NumbersReader, columns=("numbers",), options=options)]

    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        sizes = {"tiny": mg.Size(config={"depth": 2}), "deep": mg.Size(config={"depth": 4})}
        return [mg.Backbone(name="dense", modality="numbers", sizes=sizes, build=build, reader=reader_spec)]

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [
            classification_task("number-classification", "numbers"),
            mg.Task(name="next-number", stage="pretrain", modalities=("numbers",), objective=NextNumber),
        ]


def write_rows(path: Path, *, rows: int = 96, seed: int = 0) -> Path:
    """A CSV whose label tells whether the numbers rise; easy to learn."""
    rng = np.random.default_rng(seed)
    lines = ["numbers,label"]
    for index in range(rows):
        rising = index % 2
        values = np.sort(rng.normal(rising * 0.8, 1, rng.integers(3, 12)))[:: 1 if rising else -1]
        lines.append(" ".join(f"{value:.3f}" for value in values) + f",{'up' if rising else 'down'}")
    path.write_text("\n".join(lines) + "\n")
    return path
