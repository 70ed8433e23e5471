"""Which detections of a picture found which object, at every overlap and for every size of
object."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from multigraft.runtime.answers.boxes import overlaps

KEPT = 100
"""The best detections of a picture that count, of all classes together."""
OVERLAPS = np.linspace(0.5, 0.95, 10)
SIZES = np.array([[0, 1e10], [0, 32**2], [32**2, 96**2], [96**2, 1e10]])
"""Areas in square pixels from and to: all, small, medium, large."""
SURE = 1 - 1e-10
"""The largest overlap that is asked for, so that what rounding takes off a whole one counts."""


@dataclass(frozen=True)
class Expected:
    """The objects of one picture."""

    boxes: np.ndarray
    """[G, 4]: left, top, right, bottom."""
    labels: np.ndarray
    """[G]: numbers of classes."""
    areas: np.ndarray
    """[G]: by which its size is told."""
    crowd: np.ndarray
    """[G] bool: many at once, of which any number may be found, and none must be."""
    ignored: np.ndarray
    """[G] bool: need not be found, and is no mistake; every crowd is."""


@dataclass(frozen=True)
class Detected:
    """The detections of one picture."""

    boxes: np.ndarray
    """[D, 4]: left, top, right, bottom."""
    labels: np.ndarray
    scores: np.ndarray

    def best(self, count: int) -> Detected:
        """The surest ones, in that order; equal scores stay as they stood."""
        order = np.argsort(-self.scores, kind="stable")[:count]
        return Detected(self.boxes[order], self.labels[order], self.scores[order])


def matched(found: Detected, expected: Expected) -> tuple[np.ndarray, np.ndarray]:
    """Whether each detection is right, and whether it is wrong, bool [sizes, overlaps, D] each; one
    that is neither is ignored. ``found`` goes from the surest to the least sure.

    Each takes the object of its class that it overlaps most, of those that are left; one that is
    ignored only where no other fits.
    """
    shape = len(SIZES), len(OVERLAPS), len(found.scores)
    taken, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    if shape[2] and len(expected.boxes):
        shared = overlaps(found.boxes, expected.boxes, crowd=expected.crowd)
        shared[found.labels[:, None] != expected.labels] = -1
        _match(shared, out_of_size(expected), expected.crowd, taken, ignored)
    areas = np.prod(found.boxes[:, 2:] - found.boxes[:, :2], axis=1)
    beyond = (areas < SIZES[:, :1]) | (areas > SIZES[:, 1:])  # [sizes, D]
    ignored |= ~taken & beyond[:, None]
    return taken & ~ignored, ~taken & ~ignored


def out_of_size(expected: Expected) -> np.ndarray:
    """Which objects do not count among those of a size, bool [sizes, G]."""
    areas = expected.areas
    outside = (areas < SIZES[:, :1]) | (areas > SIZES[:, 1:])
    found: np.ndarray = outside | expected.ignored | expected.crowd
    return found


def _match(
    shared: np.ndarray,
    ignore: np.ndarray,
    crowd: np.ndarray,
    taken: np.ndarray,
    ignored: np.ndarray,
) -> None:
    """Give every detection its object, all sizes and overlaps at once: fill ``taken``, and
    ``ignored`` where that object is."""
    free = np.ones((*taken.shape[:2], len(crowd)), bool)
    floor = np.minimum(OVERLAPS, SURE)[:, None]
    there = np.flatnonzero((shared >= floor[0]).any(1))
    for number in there.tolist():
        fits = free & (shared[number] >= floor)
        counts = fits & ~ignore[:, None]
        some = counts.any(-1, keepdims=True)
        chosen = _last_best(shared[number], np.where(some, counts, fits))
        size, overlap = np.nonzero(fits.any(-1))
        index = chosen[size, overlap]
        taken[size, overlap, number] = True
        ignored[size, overlap, number] = ignore[size, index]
        free[size, overlap, index] = crowd[index]


def _last_best(shared: np.ndarray, among: np.ndarray) -> np.ndarray:
    """The object that is overlapped most; of equal ones the last, as in pycocotools."""
    held = np.where(among, shared, -1.0)
    found: np.ndarray = held.shape[-1] - 1 - held[..., ::-1].argmax(-1)
    return found
