"""A bundle of a tiny network of each in-tree modality, and a value to ask it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import multigraft as mg
from helpers.samples import TINY, WRITERS


def some_value(data: Path) -> str:
    """A text of the file, or the path of a file in the folder."""
    if data.is_dir():
        return str(next(path for path in sorted(data.rglob("*.*")) if path.is_file()))
    with data.open(encoding="utf-8") as file:
        return next(csv.DictReader(file))["text"]


def export(modality: str, folder: Path, **settings: Any) -> tuple[Path, str]:
    """A bundle of a tiny network, and a value to ask it."""
    data = WRITERS[modality](folder, 24)
    run = mg.finetune(
        task=f"{modality}-classification",
        backbone=TINY[modality],
        data={"train": str(data), "split": {"validation": 0.0, "test": 0.25}},
        training={"steps": 2, "batch_size": 8},
        export={"precisions": ["fp32"], **settings},
        output=folder / "run",
    )
    return Path(run.export().files["bundle"]), some_value(data)
