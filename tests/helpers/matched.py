"""Texts and grey pictures that belong together: the digits that a text names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import multigraft as mg
from helpers import captioned
from multigraft.models.tasks.contrastive.task import contrastive_task

NAMES = "zero one two three four five six seven eight nine".split()


class Matching:
    """A plugin with two branches and a contrastive task of its own, to be tried by the kit."""

    register_modalities = staticmethod(captioned.register_modalities)
    register_backbones = staticmethod(captioned.register_backbones)

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [contrastive_task("matching")]


def row(low: int, high: int) -> dict[str, Any]:
    """A dark and a bright digit, and their picture."""
    return {
        "words": f"{NAMES[low]} below {NAMES[high]}",
        "grey": f"{high}{high}/" * 2 + f"{low}" * 2,
    }


def rows(count: int, seed: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [row(*sorted(rng.choice(10, 2, replace=False).tolist())) for _ in range(count)]


def write(path: Path, made: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(each) + "\n" for each in made), encoding="utf-8")
    return str(path)


def recipe(folder: Path, **fields: Any) -> dict[str, Any]:
    """A recipe of few seconds, in which some pairs stand twice."""
    task = {"name": "contrastive", "width": 16, **fields.pop("task", {})}
    training = {
        **{"epochs": 12, "batch_size": 24, "learning_rate": 0.02, "precision": "fp32"},
        **{"compile": "off", "workers": 0, **fields.pop("training", {})},
    }
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "task": task,
        "backbone": {"words": "wordnet-tiny", "grey": "lattice-tiny"},
        "data": {
            "train": write(folder / "train.jsonl", rows(240, 1)),
            "test": write(folder / "test.jsonl", rows(30, 2)),
            "split": {"validation": 0.25, "test": 0},
            "leakage": {"allowed": 1},
        },
        "training": training,
        "evaluation": {"bootstrap": 20, "batch_size": 7},
        "export": {"precisions": ["fp32", "int8"], "rows": 30, "budget": 50},
        "output": str(folder / "run"),
        **fields,
    }


def train(folder: Path, **fields: Any) -> mg.Run:
    engine = mg.Engine([captioned], discover=False, strict=True)
    return engine.start(recipe(folder, **fields), "finetune")
