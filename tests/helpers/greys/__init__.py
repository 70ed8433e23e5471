"""A third party's plugin: grey pictures, typed as digits, of any height and width, and the shapes
on them.

``"009/090"`` is a picture two high and three wide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import multigraft as mg
from multigraft.contracts.types import Answer, Spec
from multigraft.models.tasks import classification_task

CLASSES = ("ground", "shape")
OUTSIDE = 255
"""The class of a pixel that is none: padding."""


def typed(pixels: np.ndarray) -> str:
    """Digits [H, W] as a cell of a table."""
    return "/".join("".join(map(str, line)) for line in np.asarray(pixels).tolist())


def digits(cell: Any) -> np.ndarray:
    """The digits of a cell, uint8 [H, W]. Raises RowError."""
    if not isinstance(cell, str) or not cell:
        raise mg.RowError(f"is {cell!r}; lines of digits are needed, as 009/090")
    lines = cell.split("/")
    if len(set(map(len, lines))) > 1 or not cell.replace("/", "").isascii():
        raise mg.RowError("its lines are not equally long")
    try:
        return np.array([[int(digit) for digit in line] for line in lines], dtype=np.uint8)
    except ValueError as error:
        raise mg.RowError("holds what is no digit") from error


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A dark picture with one bright shape, and the shape's box [4]."""
    height, width = rng.integers(5, 14, size=2)
    picture = rng.integers(0, 3, size=(height, width))
    left, top = rng.integers(0, width - 3), rng.integers(0, height - 3)
    right, bottom = rng.integers(left + 2, width + 1), rng.integers(top + 2, height + 1)
    picture[top:bottom, left:right] = rng.integers(6, 10, size=(bottom - top, right - left))
    return picture, np.array([left, top, right, bottom])


def good(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    return [typed(drawn(rng)[0]) for _ in range(count)]


def bad(folder: Path) -> list[Any]:
    return ["", "12/3", "one", 3]


def shape_of(picture: np.ndarray) -> np.ndarray:
    """Where a picture is bright, as classes."""
    return (picture > 4).astype(np.uint8)


def box_of(mask: np.ndarray) -> list[int]:
    """The box around a mask: left, top, right, bottom."""
    rows, columns = np.nonzero(mask)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def cells(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """The shape on each picture: its pixels, and the box around them."""
    masks = [shape_of(digits(raw)) for raw in raws]
    return {
        "mask": [typed(mask) for mask in masks],
        "boxes": [" ".join(map(str, box_of(mask))) for mask in masks],
    }


def oriented(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The row with a column that says whether its picture is tall or wide."""
    height, width = digits(row["grey"]).shape
    return {**row, "kind": "tall" if height > width else "wide"}


class Masks(mg.Answers):
    """Each pixel's class as a digit, without what padded the picture."""

    def __init__(self, targets: Spec) -> None:
        del targets

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Answer:
        outputs = windows[0].outputs
        tall, wide = int(outputs["inside"].any(1).sum()), int(outputs["inside"].any(0).sum())
        classes = outputs["logits"][:, :tall, :wide].argmax(0)
        return {"mask": typed(classes), "share": round(float(classes.mean()), 4)}


def reader_spec(origin: mg.Origin, options: Mapping[str, Any]) -> Spec:
    return {"kind": "grey", "places": options.get("places", False)}


@mg.hookimpl
def register_modalities() -> list[mg.Modality]:
    return [
        mg.Modality(
            name="grey",
            reader=mg.Lazy("helpers.greys.reader:GreyReader"),
            columns=("grey",),
            samples=mg.Samples(good=good, bad=bad),
            augment=mg.Lazy("helpers.greys.reader:augmentation"),
            options={"places": mg.Option(default=False, help="where pixels lie in the picture")},
        )
    ]


@mg.hookimpl
def register_backbones() -> list[mg.Backbone]:
    return [
        mg.Backbone(
            name="lattice",
            modality="grey",
            sizes={"tiny": mg.Size(config={"width": 8})},
            build=mg.Lazy("helpers.greys.network:build"),
            reader=reader_spec,
            quantization="none",
        )
    ]


@mg.hookimpl
def register_tasks() -> list[mg.Task]:
    return [
        classification_task("grey-classification", "grey"),
        mg.Task(
            name="grey-shapes",
            stage="finetune",
            modalities=("grey",),
            columns=("mask", "boxes", "kind"),
            stratify="kind",
            rows=oriented,
            reader={"places": True},
            levels=True,
            objective=mg.Lazy("helpers.greys.shapes:Shapes"),
            answers=Masks,
            samples=cells,
        ),
    ]
