"""Stand-ins for trained runs: hand-set weights that answer every row right, by a known margin."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import nn

import multigraft as mg
from helpers import toy_plugin
from helpers.toy_bundles import LABELS
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Brief, Objective
from multigraft.contracts.plan import Plan
from multigraft.contracts.records import Option
from multigraft.contracts.report import Report
from multigraft.contracts.types import Arrays
from multigraft.export import export_bundle
from multigraft.export.acceptance.latency import Timed
from multigraft.models.graft import Graft
from multigraft.models.modes import evaluating
from multigraft.models.tasks.classification import Classification
from multigraft.runs.run import Run

WIDTH = 16
LOUD = toy_plugin.TOKENS - 1


class NumbersBackbone(nn.Module):
    """Tokens below half of `LOUD` point one way, the others the opposite way; the mean is the
    row."""

    width = WIDTH
    head_bias = True

    def __init__(self, *, spike: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(toy_plugin.TOKENS, WIDTH)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.blocks = nn.ModuleList([self.mix])
        with torch.no_grad():
            self.embedding.weight.mul_(0.1)[:, 0] = torch.where(
                torch.arange(toy_plugin.TOKENS) < LOUD // 2, -1.0, 1.0
            )
            self.mix.weight.mul_(0.1).add_(torch.eye(WIDTH))
            self.mix.bias[-1] = spike

    def forward(self, batch: Batch) -> mg.Features:
        mask = batch["attention_mask"].unsqueeze(-1).float()
        sequence = self.mix(self.embedding(batch["input_ids"]))
        return mg.Features(pooled=(sequence * mask).sum(1) / mask.sum(1), sequence=sequence)


class PictureBackbone(nn.Module):
    """Pictures more red than green give a positive first feature."""

    width = WIDTH
    head_bias = True

    def __init__(self, *, spike: float = 0.0, groups: int = 1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, WIDTH, 3, padding=1)
        self.norm = nn.BatchNorm2d(WIDTH)
        self.second = nn.Conv2d(WIDTH, WIDTH, 1, groups=groups)
        self.blocks = nn.ModuleList([self.first, self.second])
        with torch.no_grad():
            self.first.weight[0] = torch.tensor([1.0, -1.0, 0.0])[:, None, None] / 9
            self.first.bias[0] = 1.0  # keeps the feature above ReLU's zero
            self.second.weight.mul_(0.1)
            for channel in range(WIDTH):
                self.second.weight[channel, channel % self.second.weight.shape[1]] += 1
            self.second.bias[-1] = spike

    def forward(self, batch: Batch) -> mg.Features:
        scaled = batch["pixel_values"].float() / 255 - 0.5
        hidden = self.second(torch.relu(self.norm(self.first(scaled))))
        return mg.Features(pooled=hidden.relu().mean((2, 3)), maps=(hidden,))


class WrongWhenExported(PictureBackbone):
    """Its graph is not the model."""

    def forward(self, batch: Batch) -> mg.Features:
        features = super().forward(batch)
        if torch.compiler.is_exporting():
            return mg.Features(pooled=features.pooled + 1)
        return features


class ToyRows:
    """Rows as the data room gives them."""

    columns = ("text", "image", "label")

    def __init__(
        self, raws: Sequence[Any], labels: Sequence[str], reader: Any, objective: Objective
    ) -> None:
        self.raws, self.labels = raws, labels
        self.reader, self.objective = reader, objective
        self.lengths = np.array([reader.length(reader.read(raw)) for raw in raws])

    def __len__(self) -> int:
        return len(self.raws)

    def __getitem__(self, index: int) -> Arrays:
        row = self.reader.read(self.raws[index])
        return {**row, **self.objective.encode({"label": self.labels[index]}, row)}

    def fetch(self, index: int, names: Collection[str] | None) -> Arrays:
        return {
            name: array for name, array in self[index].items() if names is None or name in names
        }

    def read(self, index: int) -> Arrays:
        return dict(self.reader.read(self.raws[index]))

    def raw(self, index: int) -> Any:
        return self.raws[index]

    def row(self, index: int) -> dict[str, Any]:
        return {"text": self.raws[index], "label": self.labels[index]}

    def place(self, index: int) -> str:
        return f"toy row {index + 1}"


def numbers(count: int, seed: int) -> tuple[list[Any], list[str]]:
    """Rows of 3 to 12 numbers, most of them on the row's side."""
    rng = np.random.default_rng(seed)
    raws, labels = [], []
    half = LOUD // 2
    for index in range(count):
        length = int(rng.integers(3, 13))
        others = int(rng.integers(0, max(1, length // 3)))
        low = index % 2
        chosen = rng.integers(0, half, length) + half * (1 - low)
        chosen[:others] = (chosen[:others] + half) % (2 * half)
        raws.append(" ".join(str(number) for number in rng.permutation(chosen)))
        labels.append(LABELS[low])
    return raws, labels


def pictures(count: int, seed: int) -> tuple[list[Any], list[str]]:
    """Noise, with either red or green raised."""
    rng = np.random.default_rng(seed)
    raws = []
    for index in range(count):
        picture = rng.integers(0, 156, (3, 8, 8), dtype=np.uint8)
        picture[index % 2] += 80
        raws.append(picture)
    return raws, [LABELS[index % 2] for index in range(count)]


def numbers_run(
    folder: Path,
    *,
    spike: float = 0.0,
    loud: float = 1.0,
    quantization: str = "dynamic",
    **kwargs: Any,
) -> Any:
    """A run of variable length, quantised dynamically.

    ``spike`` is a feature of every token that decides nothing; ``loud`` scales a token that stands
    in one training row and nowhere else.
    """
    reader = toy_plugin.NumbersReader({str(i): i for i in range(toy_plugin.TOKENS)})
    backbone = NumbersBackbone(spike=spike)
    run = _run(folder, "numbers", reader, backbone, quantization, numbers, **kwargs)
    with torch.no_grad():
        backbone.embedding.weight[LOUD] *= loud
    run.rows["train"].raws[0] += f" {LOUD}"
    return run


def picture_run(folder: Path, backbone: nn.Module | None = None, **kwargs: Any) -> Any:
    """A run of fixed shape, quantised statically."""
    run = _run(
        folder,
        "picture",
        toy_plugin.PictureReader(),
        backbone or PictureBackbone(),
        "static",
        pictures,
        **kwargs,
    )
    _centre(run)
    return run


def _run(
    folder: Path,
    modality: str,
    reader: Any,
    backbone: Any,
    quantization: str,
    make: Any,
    *,
    stage: str = "classification",
    splits: Sequence[str] = ("train", "validation", "test"),
    **export: Any,
) -> Any:
    catalog = mg.Catalog([toy_plugin], discover=False)
    targets: dict[str, Any] = {"labels": LABELS, "counts": [1, 1]}
    options = {
        name: option.default
        for name, option in _options(catalog, f"{modality}-classification").items()
    }
    brief = Brief(
        backbone=backbone, reader=reader, targets=targets, options=options, modality=modality
    )
    objective = Classification(brief)
    graft = Graft(backbone, objective.head()).train()
    if stage == "classification":
        _set_head(graft.head.linear)
    recipe = mg.Recipe.parse(
        {
            "task": f"{modality}-{stage}",
            "backbone": "toy-backbone",
            "data": "toy.csv",
            "evaluation": {"bootstrap": 20},
            "export": {"calibration": 20, "rows": 40, "repair": 0, **export},
        }
    )
    return Run(
        folder=folder,
        recipe=recipe,
        catalog=catalog,
        reader=reader,
        targets=targets if stage == "classification" else {},
        objective=objective if stage == "classification" else Embedding(),
        graft=graft,
        rows={
            name: ToyRows(*make(40, seed), reader, objective) for seed, name in enumerate(splits)
        },
        facts={"seed": 0, "weights": "scratch", "plugins": {"helpers.toy_plugin": ""}},
        resolved=SimpleNamespace(
            task=catalog.task(f"{modality}-{stage}"),
            task_options={},
            modality=catalog.modality(modality),
            branches={
                "": SimpleNamespace(
                    modality=catalog.modality(modality),
                    backbone=SimpleNamespace(quantization=quantization),
                )
            },
            writer="",
            several=False,
        ),
        plan=Plan.start(graft),
        augment=None,
        dispatch=mock.Mock(),
    )


@functools.cache
def exported(modality: str) -> tuple[Any, Report]:
    """A run with its bundle, and the report; made once for all tests, which must leave it as it
    is."""
    folder = tempfile.TemporaryDirectory(prefix="multigraft-toy-")
    run = (
        numbers_run(Path(folder.name)) if modality == "numbers" else picture_run(Path(folder.name))
    )
    with mock.patch("multigraft.export.acceptance.latency.medians", steady):
        report = export_bundle(run)
    run.holds = folder  # deleted with the process
    return run, report


def steady(contenders: Iterable[str], batches: Sequence[Timed]) -> dict[str, dict[int, float]]:
    """Times of a machine on which int8 is twice as fast as fp32, in the place of
    `latency.medians`."""
    speed = {"torch": 4.0, "fp32": 2.0, "int8": 1.0, "fp16": 0.5}
    return {
        name: {batch.rows: speed[name] * batch.rows**0.9 for batch in batches}
        for name in contenders
    }


class Embedding(Objective):
    """A pretraining objective: only what it serves is used here."""

    monitor = "loss"
    greater_is_better = False


def _options(catalog: mg.Catalog, task: str) -> dict[str, Option]:
    return dict(catalog.task(task).options)


def _set_head(linear: nn.Linear) -> None:
    """The sign of the first feature decides."""
    with torch.no_grad():
        linear.weight.zero_()
        linear.bias.zero_()
        linear.weight[0, 0], linear.weight[1, 0] = 4.0, -4.0


def _centre(run: Any) -> None:
    """Move the head's threshold between the two labels of the training rows."""
    rows = run.rows["train"]
    batch = {
        name: torch.from_numpy(np.stack([rows[i][name] for i in range(len(rows))]))
        for name in rows[0]
    }
    with torch.inference_mode(), evaluating(run.graft):
        middle = float(run.graft.backbone(batch).pooled[:, 0].mean())
    with torch.no_grad():
        run.graft.head.linear.bias.copy_(torch.tensor([-4.0 * middle, 4.0 * middle]))
