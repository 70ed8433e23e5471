"""Tiny trained runs with their bundles, of each modality that has units, made once."""

from __future__ import annotations

import functools
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import multigraft as mg
from helpers.samples import TINY, WRITERS
from helpers.tiny_bundles import some_value

BACKBONES = {**TINY, "table": "ft-transformer-tiny"}


@dataclass(frozen=True)
class Tiny:
    """A run, its bundle, and a value to explain."""

    run: mg.Run
    bundle: Path
    value: Any
    holds: Any
    """The folder that is deleted with the process."""

    @property
    def predictor(self) -> mg.Predictor:
        """The bundle, opened."""
        return mg.load(self.bundle)


def write_table(folder: Path, rows: int) -> Path:
    """JSON lines of two numbers, a category and a label that follows from one number."""
    rng = np.random.default_rng(0)
    path = folder / "rows.jsonl"
    with path.open("w") as file:
        for number in range(rows):
            telling = float(rng.normal() + (2 if number % 2 else -2))
            row = {
                "telling": telling,
                "noise": float(rng.normal()),
                "colour": str(rng.choice(["red", "green", "blue"])),
                "label": ("first", "second")[number % 2],
            }
            file.write(json.dumps(row) + "\n")
    return path


@functools.cache
def tiny(modality: str) -> Tiny:
    """A run of a few steps; tests leave it as it is."""
    holds = tempfile.TemporaryDirectory(prefix="multigraft-explained-")
    folder = Path(holds.name)
    writer = {**WRITERS, "table": write_table}[modality]
    data = writer(folder, 64)
    run = mg.finetune(
        task=f"{modality}-classification",
        backbone=BACKBONES[modality],
        data={"train": str(data), "split": {"validation": 0.1, "test": 0.25}},
        training={"steps": 12, "batch_size": 16, "learning_rate": 0.01},
        export={"precisions": ["fp32"]},
        output=folder / "run",
        quiet=True,
    )
    held = run.rows["test"]
    value = held.raw(0) if modality in ("table", "audio") else some_value(data)
    return Tiny(run, Path(run.export(quiet=True).files["bundle"]), value, holds)
