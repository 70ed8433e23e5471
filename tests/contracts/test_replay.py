"""Every backbone's frozen blocks can be replayed: what follows them cannot tell, whatever their number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import multigraft as mg
import multigraft_series
from contracts.conftest import SMALLEST, Subject
from multigraft.run import Run
from samples import WRITERS
from toys import write_rows

MANY = 4
"""Of a deep network's depths, those that are tried."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("rows")
    made: dict[str, Path] = {}

    def write(modality: str) -> Path:
        if modality not in made:
            writer = WRITERS.get(modality, lambda to, count: write_rows(to / "series.csv", rows=count))
            (folder / modality).mkdir()
            made[modality] = writer(folder / modality, 32)
        return made[modality]

    return write


def train(subject: Subject, data: Path, output: Path, strategy: Any, replay: str) -> Run:
    recipe = {
        "task": {"name": f"{subject.modality.name}-classification", "dropout": 0.1},
        "backbone": {"name": f"{subject.family.name}-{subject.origin.size}", "weights": "scratch"},
        "strategy": strategy,
        "reader": SMALLEST.get(subject.family.name, ("", {}))[1],
        "data": {"train": str(data), "split": {"validation": 0.2, "test": 0}},
        "training": {
            "epochs": 2,
            "batch_size": 8,
            "learning_rate": 1e-3,
            "optimizer": "sgd",
            "precision": "fp32",
            "replay": replay,
        },
        "output": str(output),
    }
    return mg.finetune(recipe, plugins=[multigraft_series])


def depths(subject: Subject) -> list[int]:
    """How many of the last blocks learn."""
    depth = len(subject.module.blocks)
    many = 1 if subject.family.name in SMALLEST else MANY  # no tiny size: one depth is slow enough
    return sorted({1, 2, depth // 2, depth - 1} - {0, depth})[:many]


def test_replayed_and_recomputed_training_give_the_same_weights(
    subject: Subject,
    data: Callable[[str], Path],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    strategies: list[Any] = ["linear-probe"]
    strategies += [{"name": "partial", "blocks": count} for count in depths(subject)]
    for number, strategy in enumerate(strategies):
        caplog.clear()
        with caplog.at_level("INFO", logger="multigraft"):
            replayed, recomputed = (
                train(subject, data(subject.modality.name), tmp_path / f"{number}-{replay}", strategy, replay)
                for replay in ("auto", "off")
            )
        assert "replaying" in caplog.text, (strategy, caplog.text)
        ours, theirs = replayed.graft.state_dict(), recomputed.graft.state_dict()
        for name in theirs:
            assert torch.allclose(ours[name], theirs[name], atol=1e-5, rtol=1e-3), (strategy, name)
