"""EXIF's Orientation: how a picture, or a mask of one, is turned upright."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

TAG = 0x0112
TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: values.swapaxes(0, 1)[::-1, ::-1],
    8: np.rot90,
}


def orientation(picture: Any) -> int:
    """EXIF's Orientation of one of Pillow's pictures; 1 where it says nothing.

    Of a TIFF Pillow turns the pixels as it loads them, and says 1 from then on: ask once they are
    loaded.
    """
    try:
        found = picture.getexif().get(TAG)
    except Exception:  # EXIF that cannot be parsed turns nothing, as in a browser
        return 1
    return found if isinstance(found, int) else 1


def upright(values: np.ndarray, turned: int) -> np.ndarray:
    """Values [H, W, ...] turned as that Orientation says.

    >>> upright(np.array([[1, 2]]), 3).tolist(), upright(np.array([[1, 2]]), 6).tolist()
    ([[2, 1]], [[1], [2]])
    """
    turn = TURNS.get(turned)
    return values if turn is None else np.ascontiguousarray(turn(values))
