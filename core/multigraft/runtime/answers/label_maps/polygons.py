"""Polygons as masks, to the pixel as COCO's own tools fill them: drawn on a grid five times as
fine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

FINE = 5
LARGEST = 2**20
"""A corner that lies farther off is a mistake."""


def filled(corners: Sequence[Any], height: int, width: int) -> np.ndarray:
    """A mask, bool [H, W], of a polygon given as x and y in turn. Raises ValueError."""
    points = points_of(corners)
    across, down = _boundary(np.trunc(FINE * points + 0.5).astype(np.int64))
    turned = np.flatnonzero(across[1:] != across[:-1])
    # where the boundary crosses the middle of a column of pixels
    column = np.minimum(across[turned], across[turned + 1])
    middle = (column + 0.5) / FINE - 0.5
    real = (middle == np.floor(middle)) & (middle >= 0) & (middle <= width - 1)
    lower = np.minimum(down[turned], down[turned + 1])[real]
    row = np.ceil(((lower + 0.5) / FINE - 0.5).clip(0, height)).astype(np.int64)
    found = np.zeros((height, width), dtype=bool)
    if not len(row):
        return found
    columns = middle[real].astype(np.int64)
    first, last = int(columns.min()), int(columns.max()) + 1
    crossed = np.zeros(height * (last - first) + 1, dtype=bool)
    np.logical_xor.at(crossed, (columns - first) * height + row, True)
    inside = np.logical_xor.accumulate(crossed[:-1])
    found[:, first:last] = inside.reshape(last - first, height).T
    return found


def is_sliver(polygons: Sequence[Any]) -> bool:
    """Whether polygons of one object hold the middle of no pixel, wherever the picture ends. Raises
    ValueError."""
    return not any(_holds_a_pixel(points_of(each)) for each in polygons)


def _holds_a_pixel(points: np.ndarray) -> bool:
    across, down = points.T
    area = abs(float((across[:-1] * down[1:] - across[1:] * down[:-1]).sum())) / 2
    if area > np.hypot(*np.diff(points, axis=0).T).sum():  # wider than a pixel
        return True
    near = points - np.floor(points.min(0))
    width, height = (int(side) for side in np.ceil(near.max(0)).clip(1))
    return bool(filled(near.ravel().tolist(), height, width).any())


def points_of(corners: Sequence[Any]) -> np.ndarray:
    """The corners of a polygon [N, 2], the first at the end once more. Raises ValueError."""
    try:
        found = np.array(corners, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError("its polygon holds what is no number") from error
    if found.ndim != 1 or len(found) < 6 or len(found) % 2:
        raise ValueError("its polygon is no list of at least three corners, x and y in turn")
    if not np.isfinite(found).all() or np.abs(found).max() > LARGEST:
        raise ValueError("its polygon has a corner that lies nowhere")
    points = found.reshape(-1, 2)
    return np.concatenate([points, points[:1]])


def _boundary(corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y of every step along the lines between corners [N + 1, 2] of the fine grid."""
    lines = [_line(*start, *end) for start, end in pairwise(corners)]
    across, down = (np.concatenate(each) for each in zip(*lines, strict=True))
    return across, down


def _line(x: int, y: int, to_x: int, to_y: int) -> tuple[np.ndarray, np.ndarray]:
    """The points of a line, both ends among them; from its left or upper end rounded."""
    wide, tall = abs(to_x - x), abs(to_y - y)
    back = (wide >= tall and x > to_x) or (wide < tall and y > to_y)
    if back:
        x, y, to_x, to_y = to_x, to_y, x, y
    steps = np.arange(max(wide, tall) + 1)
    if wide >= tall:
        slope = (to_y - y) / wide if wide else 0.0
        points = steps + x, np.trunc(y + slope * steps + 0.5).astype(np.int64)
    else:
        points = np.trunc(x + (to_x - x) / tall * steps + 0.5).astype(np.int64), steps + y
    return (points[0][::-1], points[1][::-1]) if back else points
