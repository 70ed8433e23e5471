"""Bilinear enlargement of logits, a class at a time, as the graph enlarges them."""

from __future__ import annotations

import numpy as np


def surest_classes(logits: np.ndarray, height: int, width: int) -> np.ndarray:
    """The class, uint8 [height, width], of the highest of logits [classes, h, w], enlarged as
    torch's `interpolate` with ``align_corners=False``; of equal ones the first.

    >>> surest_classes(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]), 1, 4).tolist()
    [[0, 0, 1, 1]]
    """
    down, across = _weights(logits.shape[1], height), _weights(logits.shape[2], width)
    best = np.full((height, width), -np.inf, np.float32)
    found = np.zeros((height, width), np.uint8)
    for number, plane in enumerate(logits.astype(np.float32)):
        enlarged = down @ plane @ across.T
        surer = enlarged > best
        best[surer], found[surer] = enlarged[surer], number
    return found


def _weights(cells: int, pixels: int) -> np.ndarray:
    """The share of each cell in each pixel, [pixels, cells]: those of the two nearest."""
    place = ((np.arange(pixels) + 0.5) * (cells / pixels) - 0.5).clip(0, cells - 1)
    first = np.floor(place).astype(np.int64)
    second = np.minimum(first + 1, cells - 1)
    made = np.zeros((pixels, cells), np.float32)
    rows = np.arange(pixels)
    made[rows, first] = 1 - (place - first)
    made[rows, second] += place - first
    return made
