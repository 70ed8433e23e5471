"""Edges of words: where sound begins and ends around the places at which each is listened for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LOW, HIGH = 5, 95
"""The percentiles of loudness between which a sound's range lies."""
QUIET = 0.35
"""Up to which share of that range, in decibels, a moment is quiet."""
CONTRAST = 10.0
"""A sound of a smaller range, in decibels, has no quiet moments."""
APART = 20
"""Quiet moments in a row that end what belongs together, at a sound's first and last word: a stop
inside a word is shorter."""


@dataclass(frozen=True)
class Anchors:
    """Where one word is listened for, in moments: for its first token, and for its last."""

    first: int
    last: int


def quiet_moments(loudness: np.ndarray) -> np.ndarray:
    """Which moments are quiet beside the rest: decibels [N] -> bool [N].

    >>> quiet_moments(np.array([0.0, 0.0, 30.0, 28.0])).tolist()
    [True, True, False, False]
    """
    if not len(loudness):
        return np.zeros(0, dtype=bool)
    low, high = np.percentile(loudness, (LOW, HIGH))
    if high - low < CONTRAST:
        return np.zeros(len(loudness), dtype=bool)
    found: np.ndarray = loudness < low + QUIET * (high - low)
    return found


def word_edges(
    anchors: Sequence[Anchors], changes: Sequence[int], quiet: np.ndarray
) -> list[tuple[int, int]]:
    """From which to which moment each word is said.

    Between two words lies the longest quiet between their anchors; where there is none, the one
    ends and the other begins at ``changes``, one a pair.
    """
    if not anchors:
        return []
    between = [
        _pause(before.last, behind.first, quiet) or (change, change)
        for before, behind, change in zip(anchors[:-1], anchors[1:], changes, strict=True)
    ]
    starts = [_reached(anchors[0].first, quiet, -1), *(end for _, end in between)]
    ends = [*(start for start, _ in between), _reached(anchors[-1].last, quiet, 1) + 1]
    return [(start, max(start, end)) for start, end in zip(starts, ends, strict=True)]


def _pause(first: int, last: int, quiet: np.ndarray) -> tuple[int, int] | None:
    """The longest run of quiet moments from ``first`` to ``last``, the later of equal ones."""
    edges = np.diff(np.concatenate([[False], quiet[first:last], [False]]).astype(np.int8))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(begins):
        return None
    longest = len(begins) - 1 - int((ends - begins)[::-1].argmax())
    return first + int(begins[longest]), first + int(ends[longest])


def _reached(anchor: int, quiet: np.ndarray, step: int) -> int:
    """The outermost moment of what belongs to a word that no other one stands beside."""
    found = place = min(anchor, len(quiet) - 1) if len(quiet) else anchor
    silent = 0
    while 0 <= place + step < len(quiet) and silent < APART:
        place += step
        silent = silent + 1 if quiet[place] else 0
        found = found if quiet[place] else place
    return found
