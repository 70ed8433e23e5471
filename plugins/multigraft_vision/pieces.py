"""Patches of a picture, as the units of explanations: a grid over what the model sees."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.contracts.units import Units

GRID = 7
"""Patches down and across: of 224 pixels 32 each, as a network of stride 32 has cells."""


def patch_units(row: Arrays) -> Units:
    """The patches of ``image`` [H, W, C]; a hidden one has the picture's mean colour."""
    image = row["image"]
    edges = [np.linspace(0, side, min(GRID, side) + 1).round().astype(int) for side in image.shape]
    down, across = edges[0], edges[1]
    boxes = [
        (left, top, right, bottom)
        for top, bottom in pairwise(down.tolist())
        for left, right in pairwise(across.tolist())
    ]
    height, width = image.shape[:2]
    mean = image.mean((0, 1), dtype=np.float64)
    fill = (mean.round() if image.dtype.kind in "ui" else mean).astype(image.dtype)
    return Units(
        kind="patches",
        names=tuple(f"{left},{top} to {right},{bottom}" for left, top, right, bottom in boxes),
        places=np.array(boxes) / np.array([width, height, width, height]),
        hide=partial(_hidden, row, boxes, fill),
        shown=_colours(image),
    )


def _hidden(
    row: Arrays, boxes: list[tuple[int, int, int, int]], fill: np.ndarray, hidden: np.ndarray
) -> Arrays:
    image = row["image"].copy()
    for number in np.flatnonzero(hidden).tolist():
        left, top, right, bottom = boxes[number]
        image[top:bottom, left:right] = fill
    return {**row, "image": image}


def _colours(image: np.ndarray) -> np.ndarray:
    """A picture of any channels as uint8 [H, W, 3]: the first three, or one as grey."""
    seen = image[..., :3] if image.shape[2] >= 3 else np.repeat(image[..., :1], 3, axis=2)
    if seen.dtype == np.uint8:
        return seen
    low, high = float(seen.min()), float(seen.max())
    shares = (seen.astype(np.float64) - low) / ((high - low) or 1.0)
    return (255 * shares).round().astype(np.uint8)
