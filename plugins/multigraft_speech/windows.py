"""Overlapping windows of a sound that is longer than a backbone takes."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

LONGEST_SECONDS = 3600.0
"""What is read of one sound at most: an hour at 16 kHz is 230 MB."""
STEP = 0.75
"""How far a window is from the one before, as a share of its length, at most."""


def cut_windows(samples: np.ndarray, size: int) -> Iterator[tuple[int, np.ndarray]]:
    """Cut windows of ``size`` samples at even distances, from the start to the end, each with the
    sample at which it begins.

    >>> [(start, window.tolist()) for start, window in cut_windows(np.arange(9), 4)]
    [(0, [0, 1, 2, 3]), (2, [2, 3, 4, 5]), (5, [5, 6, 7, 8])]
    """
    beyond = max(0, len(samples) - size)
    count = 1 + math.ceil(beyond / (STEP * size))
    for start in np.linspace(0, beyond, count).astype(int).tolist():
        yield start, samples[start : start + size]
