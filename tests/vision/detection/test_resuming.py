"""A detector that learns from mosaics ends with the same bits, though it was interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import multigraft as mg
import multigraft_vision
from helpers.painted_objects import coco_folder


class Interrupts:
    """Interrupts at a step, as Ctrl-C does."""

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        if step == 3:
            raise KeyboardInterrupt


def recipe(folder: Path, name: str) -> dict[str, Any]:
    return {
        "task": {"name": "object-detection", "width": 32, "depth": 1},
        "backbone": {"name": "resnet-tiny", "weights": "scratch"},
        "data": {
            **{"train": str(folder / "train"), "format": "coco"},
            **{"split": {"validation": 0, "test": 0}, "leakage": {"near": False}},
        },
        "reader": {"size": 32, "fit": "squash"},
        "training": {
            **{"epochs": 2, "batch_size": 4, "checkpoint_every": 2, "workers": 0},
            "augment": {"name": "strong", "mosaic": 0.5},
        },
        "evaluation": {"split": "train"},
        "output": str(folder / name),
    }


@pytest.mark.slow
def test_an_interrupted_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    coco_folder(tmp_path / "train", 16)
    engine = mg.Engine([multigraft_vision], discover=False)
    whole = engine.start(recipe(tmp_path, "one"), "finetune")
    broken = mg.Engine([multigraft_vision, Interrupts()], discover=False)
    with pytest.raises(KeyboardInterrupt):
        broken.start(recipe(tmp_path, "other"), "finetune")
    resumed = engine.resume(tmp_path / "other")
    ours, theirs = resumed.graft.state_dict(), whole.graft.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
