"""Pictures of one coloured shape each, with a caption that says both, and small runs on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

import multigraft as mg
from multigraft.models.tasks.captioning.task import captioning_task

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 190, 60),
    "blue": (50, 60, 220),
    "yellow": (230, 210, 40),
}
SHAPES = ("circle", "bar")
SIZE = 32


class Describing:
    """A plugin with a captioning task of its own, to be tried by the kit."""

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [captioning_task("describing")]


class Interrupts:
    """Interrupts a training at a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        if step == self.step:
            raise KeyboardInterrupt


def paint(path: Path, colour: str, shape: str, rng: np.random.Generator) -> None:
    """A shape somewhere on a light ground."""
    picture = Image.new("RGB", (SIZE, SIZE), tuple(rng.integers(200, 256, 3).tolist()))
    left, top = rng.integers(1, 10, 2).tolist()
    wide, high = (18, 18) if shape == "circle" else (20, 5)
    draw = ImageDraw.Draw(picture)
    form = draw.ellipse if shape == "circle" else draw.rectangle
    form([left, top, left + wide, top + high], fill=COLOURS[colour])
    picture.save(path)


def rows(folder: Path, count: int, seed: int) -> list[dict[str, Any]]:
    """Rows of pictures in ``folder``, each caption about as often."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number in range(count):
        colour, shape = str(rng.choice(list(COLOURS))), str(rng.choice(SHAPES))
        path = folder / f"{seed}-{number}.png"
        paint(path, colour, shape, rng)
        found.append({"image": str(path), "caption": f"a {colour} {shape}"})
    return found


def write(path: Path, made: Sequence[dict[str, Any]]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in made), encoding="utf-8")
    return str(path)


def recipe(folder: Path, writer: str, made: Sequence[dict[str, Any]], **fields: Any) -> Any:
    """A recipe of seconds; what ``task``, ``data`` and ``training`` hold is added to."""
    parts: dict[str, dict[str, Any]] = {
        "task": {"name": "captioning", "max_target_length": 12},
        "data": {
            "train": write(folder / "train.jsonl", made),
            "split": {"validation": 0.2, "test": 0},
            "leakage": {"near": False, "allowed": 1},
        },
        "training": {
            **{"epochs": 1, "batch_size": 16, "learning_rate": 3e-3, "precision": "fp32"},
            **{"compile": "off", "workers": 0},
        },
    }
    return {
        "backbone": {"image": "resnet-tiny", "text": {"name": writer, "weights": "scratch"}},
        "reader": {"image": {"size": SIZE}, "text": {"vocabulary": 300}},
        "evaluation": {"bootstrap": 20},
        "export": {"rows": 8, "budget": 20, "repair": 0},
        "output": str(folder / "run"),
        **{name: {**part, **fields.pop(name, {})} for name, part in parts.items()},
        **fields,
    }
