"""Alignments: which frames each token of a sequence is said in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spoken:
    """One token of an alignment."""

    token: int
    first: int
    """Its first frame."""
    last: int
    """Its last frame."""


def best_path(chances: np.ndarray, blank: int) -> list[Spoken]:
    """The tokens of the most probable alignment of all (greedy decoding), in order.

    >>> best_path(np.eye(3)[[0, 1, 1, 0, 1, 2]], 0)  # doctest: +NORMALIZE_WHITESPACE
    [Spoken(token=1, first=1, last=2), Spoken(token=1, first=4, last=4),
     Spoken(token=2, first=5, last=5)]
    """
    if not len(chances):
        return []
    path = chances.argmax(1)
    starts = np.flatnonzero(np.diff(path, prepend=-1))
    ends = [*(starts[1:] - 1).tolist(), len(path) - 1]
    return [
        Spoken(int(path[first]), first, last)
        for first, last in zip(starts.tolist(), ends, strict=True)
        if path[first] != blank
    ]


def align(chances: np.ndarray, tokens: Sequence[int], blank: int) -> list[Spoken]:
    """The most probable alignment of given tokens (Viterbi 1967 on the states of Graves 2006).

    There must be frames enough: one a token, and one between two that are the same.
    """
    if not tokens:
        return []
    states = np.full(2 * len(tokens) + 1, blank)
    states[1::2] = tokens
    skips = np.zeros(len(states), dtype=bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    path = _backwards(_steps(chances[:, states].astype(np.float64), skips))
    return [
        Spoken(token, int(inside[0]), int(inside[-1]))
        for number, token in enumerate(tokens)
        for inside in [np.flatnonzero(path == 2 * number + 1)]
    ]


def _steps(chances: np.ndarray, skips: np.ndarray) -> np.ndarray:
    """How many states each frame's best way came forward, int8 [T, S]; the last row begins with
    the state to end in."""
    frames, states = chances.shape
    steps = np.zeros((frames, states), dtype=np.int8)
    total = np.full(states, -np.inf)
    total[:2] = chances[0, :2]
    for frame in range(1, frames):
        ways = np.full((3, states), -np.inf)
        ways[0], ways[1, 1:] = total, total[:-1]
        ways[2, 2:] = np.where(skips[2:], total[:-2], -np.inf)
        steps[frame] = ways.argmax(0)
        total = ways.max(0) + chances[frame]
    steps[0, -1] = total[-2] > total[-1]
    return steps


def _backwards(steps: np.ndarray) -> np.ndarray:
    """The states [T] of the way that ends in the last blank or the last token."""
    path = np.empty(len(steps), dtype=np.int64)
    state = steps.shape[1] - 1 - int(steps[0, -1])
    for frame in range(len(steps) - 1, -1, -1):
        path[frame] = state
        state -= int(steps[frame, state]) if frame else 0
    return path
