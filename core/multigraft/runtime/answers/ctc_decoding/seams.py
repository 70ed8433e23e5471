"""Windows of one sound joined to one sequence of frames, each time of which stands once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from multigraft.contracts.answers import Window

Frames = tuple[np.ndarray, np.ndarray]
"""Log-probabilities [T, V], and the second [T] in whose middle each frame lies."""
AROUND = 5
"""Frames that are looked at together where windows may meet."""
AS_SURE = 0.01
"""What counts as equally sure, in log-probability."""


def join_windows(windows: Sequence[Window], blank: int) -> Frames:
    """All real frames of a value. What two windows share goes to the first one until the seam.

    A window's frames lie behind its row's ``start``, in seconds, where the row has one.
    """
    parts = [real_frames(window) for window in windows]
    cuts = [-np.inf, *(seam(one, other, blank) for one, other in pairwise(parts)), np.inf]
    kept = [
        (chances[inside], times[inside])
        for (chances, times), low, high in zip(parts, cuts[:-1], cuts[1:], strict=True)
        for inside in [(times >= low) & (times < high)]
    ]
    return np.concatenate([each for each, _ in kept]), np.concatenate([each for _, each in kept])


def seam(before: Frames, behind: Frames, blank: int) -> float:
    """The second from which on the second of two windows is believed.

    It lies in the middle half of what both saw, where both hold most surely that nothing is said,
    so that no token is lost or doubled there.
    """
    low, high = behind[1][0], before[1][-1]
    margin = (high - low) / 4
    places = np.flatnonzero((behind[1] >= low + margin) & (behind[1] <= high - margin))
    if not len(places):
        return float(low + high) / 2
    times = behind[1][places]
    there = np.searchsorted(before[1], times).clip(0, len(before[1]) - 1)
    silent = _smallest(behind[0][:, blank])[places] + _smallest(before[0][:, blank])[there]
    sure = np.flatnonzero(silent >= silent.max() - AS_SURE)
    return float(times[sure[np.abs(times[sure] - (low + high) / 2).argmin()]])


def real_frames(window: Window) -> Frames:
    """A window's frames without padding, at seconds of the whole value."""
    times = np.asarray(window.outputs["times"], dtype=np.float64)
    real = times >= 0
    start = float(window.row["start"]) if "start" in window.row else 0.0
    return window.outputs["log_probabilities"][real], times[real] + start


def _smallest(values: np.ndarray) -> np.ndarray:
    """Each value as the smallest of those around it."""
    half = AROUND // 2
    padded = np.pad(values, half, mode="edge")
    found: np.ndarray = np.lib.stride_tricks.sliding_window_view(padded, AROUND).min(1)
    return found
