"""A detector that was trained for a few seconds, and its bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

import multigraft as mg
from helpers.painted_objects import coco_folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of painted pictures: ``train`` and ``held``."""
    folder = tmp_path_factory.mktemp("painted")
    coco_folder(folder / "train", 48)
    coco_folder(folder / "held", 24, seed=1)
    return folder


@pytest.fixture(scope="session")
def run(pictures: Path) -> mg.Run:
    return mg.finetune(
        {
            "task": {"name": "object-detection", "width": 32, "depth": 1},
            "backbone": {"name": "resnet-tiny", "weights": "scratch"},
            "data": {
                **{"train": str(pictures / "train"), "validation": str(pictures / "held")},
                **{"format": "coco", "split": {"test": 0}, "leakage": {"near": False}},
            },
            "reader": {"size": 64, "fit": "squash"},
            "training": {
                **{"epochs": 8, "batch_size": 8, "learning_rate": 4e-3, "workers": 0},
                "augment": {"name": "light", "mosaic": 0.3},
            },
            "evaluation": {"split": "validation", "bootstrap": 20},
            "export": {"rows": 20, "repair": 0, "budget": 10},
            "output": str(pictures / "run"),
        }
    )


@pytest.fixture(scope="session")
def bundle(run: mg.Run) -> Path:
    return Path(run.export().files["bundle"])
