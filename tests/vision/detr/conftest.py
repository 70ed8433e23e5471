"""A small detector that brings its own head, trained for a few seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.painted_objects import coco_folder


def recipe(folder: Path, name: str, kind: str = "rt_detr", **fields: Any) -> dict[str, Any]:
    """A short finetuning of a tiny detector on painted pictures in ``folder``."""
    training = {
        **{"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, "workers": 0},
        **fields.pop("training", {}),
    }
    return {
        "task": "object-detection",
        "backbone": {"name": f"detr/{kind}-tiny", "weights": "scratch"},
        "data": {
            **{"train": str(folder / "train"), "validation": str(folder / "held")},
            **{"format": "coco", "split": {"test": 0}, "leakage": {"near": False}},
        },
        "reader": {"size": 64},
        "training": training,
        "evaluation": {"split": "validation", "bootstrap": 20},
        "export": {"rows": 20, "repair": 0, "budget": 10},
        "output": str(folder / name),
        **fields,
    }


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of painted pictures: ``train`` and ``held``."""
    folder = tmp_path_factory.mktemp("detr")
    coco_folder(folder / "train", 32)
    coco_folder(folder / "held", 24, seed=1)
    return folder


@pytest.fixture(scope="session")
def run(pictures: Path) -> mg.Run:
    return mg.finetune(recipe(pictures, "run"))
