"""A short segmentation of painted scenes, as a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from helpers.painted_scenes import CLASSES, table


def recipe(folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "task": {"name": "semantic-segmentation", "classes": list(CLASSES), "width": 32},
        "backbone": {"name": "resnet-tiny", "weights": "scratch"},
        "reader": {"size": 40},
        "data": {"train": str(table(folder, 72)), "split": {"validation": 0.25, "test": 0}},
        "training": {
            **{"epochs": 14, "batch_size": 9, "learning_rate": 0.01, "precision": "fp32"},
            **{"compile": "off", "workers": 0, "augment": "light"},
        },
        "evaluation": {"split": "validation", "bootstrap": 20},
        "export": {"precisions": ["fp32", "int8"], "rows": 10, "budget": 2},
        "output": str(folder / "run"),
        **changes,
    }
