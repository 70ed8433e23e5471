"""Boxes by their corners: overlap, and non-maximum suppression."""

from __future__ import annotations

import numpy as np


def areas(boxes: np.ndarray) -> np.ndarray:
    """Areas [N] of boxes [N, 4] (left, top, right, bottom).

    >>> areas(np.array([[0, 0, 2, 3]])).tolist()
    [6]
    """
    found: np.ndarray = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return found


def intersections(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Areas [N, M] that boxes [N, 4] share with others [M, 4]."""
    wide = np.minimum(one[:, None, 2], other[None, :, 2])
    wide -= np.maximum(one[:, None, 0], other[None, :, 0])
    tall = np.minimum(one[:, None, 3], other[None, :, 3])
    tall -= np.maximum(one[:, None, 1], other[None, :, 1])
    shared: np.ndarray = wide.clip(0, None) * tall.clip(0, None)
    return shared


def overlaps(one: np.ndarray, other: np.ndarray, *, crowd: np.ndarray | None = None) -> np.ndarray:
    """Intersection over union [N, M]; over the area of ``one`` where the other is a ``crowd``
    [M]."""
    shared, own = intersections(one, other), areas(one)[:, None]
    whole = own + areas(other) - shared
    if crowd is not None:
        whole = np.where(crowd, own, whole)
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0)


def suppressed(covers: np.ndarray, most: int) -> np.ndarray:
    """Non-maximum suppression: the places of those of N that are kept, the first ``most``.

    ``covers`` bool [N, N] says which of them, the surest first, stand for one thing; each that is
    kept rules out those behind it.

    >>> suppressed(np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1]], bool), most=9).tolist()
    [0, 2]
    """
    left, kept = np.ones(len(covers), bool), list[int]()
    for number in range(len(covers)):
        if left[number]:
            kept.append(number)
            left &= ~covers[number]
        if len(kept) == most:
            break
    return np.array(kept, dtype=np.int64)
