"""Boxes of a picture that was read in tiles: each object once, and whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.runtime.answers.average_precision.matching import Detected
from multigraft.runtime.answers.boxes import areas, intersections, suppressed

INSIDE = 0.7
"""The share of a box that was cut off at a tile's edge from which another tile's box covers it."""
AGREE = 0.5
"""How much of their common extent two halves of an object share across the cut."""


@dataclass(frozen=True)
class Found(Detected):
    """Boxes in the picture's own pixels."""

    cut: np.ndarray
    """[N, 4] bool: the sides at which a tile's edge within the picture cuts one off."""
    tiles: np.ndarray
    """[N]: the number of the tile."""

    def some(self, chosen: np.ndarray) -> Found:
        """Those at these places."""
        each = (self.boxes, self.labels, self.scores, self.cut, self.tiles)
        return Found(*(array[chosen] for array in each))

    def surest_first(self) -> Found:
        """In that order; equal scores stay as they stood."""
        return self.some(np.argsort(-self.scores, kind="stable"))


def joined(parts: Sequence[Found], *, iou: float, most: int) -> Found:
    """The boxes of all tiles, of each object the surest, the surest first, at most so many.

    Of one that a tile's edge cuts off and a whole one in another tile the whole one is kept;
    halves on both sides of a cut become one box; then all are suppressed together.
    """
    apart = [_distinct(part, iou, most) for part in parts]
    if not apart[1:]:
        return apart[0]
    return _distinct(_stitched(_whole(together(apart))), iou, most)


def _distinct(found: Found, iou: float, most: int) -> Found:
    """Non-maximum suppression within each class; the surest first, at most so many."""
    found = found.surest_first()
    shared, own = intersections(found.boxes, found.boxes), areas(found.boxes)
    covers = shared > iou * (own[:, None] + own - shared)
    covers &= found.labels[:, None] == found.labels
    return found.some(suppressed(covers, most))


def together(parts: Sequence[Found]) -> Found:
    """All boxes of several parts."""
    names = ("boxes", "labels", "scores", "cut", "tiles")
    return Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _whole(found: Found) -> Found:
    """Without the boxes that are cut off where another tile has a whole one around them."""
    around = intersections(found.boxes, found.boxes) > INSIDE * areas(found.boxes)
    cut: np.ndarray = np.asarray(found.cut.any(1))
    around &= _elsewhere(found) & cut & ~cut[:, None]  # [around, cut off]
    return found.some(np.flatnonzero(~around.any(0)))


def _stitched(found: Found) -> Found:
    """Halves on both sides of a cut as one box, as sure as the surer."""
    boxes, scores, cut = found.boxes.copy(), found.scores.copy(), found.cut.copy()
    kept, elsewhere = np.ones(len(boxes), bool), _elsewhere(found)
    for axis in (0, 1):
        halves = cut[:, axis + 2, None] & cut[None, :, axis] & elsewhere
        for first, second in np.argwhere(halves).tolist():
            if not (kept[first] and kept[second]):
                continue
            if not _continue(boxes[first], boxes[second], axis):
                continue
            boxes[first, :2] = np.minimum(boxes[first, :2], boxes[second, :2])
            boxes[first, 2:] = np.maximum(boxes[first, 2:], boxes[second, 2:])
            scores[first] = max(scores[first], scores[second])
            cut[first, axis + 2] = cut[second, axis + 2]
            kept[second] = False
    each = (boxes, found.labels, scores, cut, found.tiles)
    return Found(*(array[kept] for array in each))


def _continue(one: np.ndarray, other: np.ndarray, axis: int) -> bool:
    """Whether a box goes on in another one, to the right or below."""
    across = 1 - axis
    shared = min(one[across + 2], other[across + 2]) - max(one[across], other[across])
    common = max(one[across + 2], other[across + 2]) - min(one[across], other[across])
    meets = one[axis] < other[axis] <= one[axis + 2] < other[axis + 2]
    return bool(meets and shared > AGREE * common)


def _elsewhere(found: Found) -> np.ndarray:
    """Whether two boxes are of one class and of different tiles, bool [N, N]."""
    apart = found.tiles[:, None] != found.tiles
    same: np.ndarray = apart & (found.labels[:, None] == found.labels)
    return same
