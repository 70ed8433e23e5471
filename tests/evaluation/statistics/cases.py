"""Random cases of the statistics, each from its number: the peers and ours are given the same."""

from __future__ import annotations

from typing import Any

import numpy as np

CASES = 200


def scores(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Two systems' scores of the same rows."""
    rng = np.random.default_rng([1, number])
    rows = int(rng.integers(5, 60))
    hard = rng.normal(size=rows)
    return hard + rng.normal(0.1, 0.5, rows), hard + rng.normal(0, 0.5, rows)


def truths(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Which rows two systems answer right, as 1 and 0."""
    rng = np.random.default_rng([2, number])
    rows = int(rng.integers(5, 400))
    first = (rng.random(rows) < 0.7).astype(int)
    other = np.where(rng.random(rows) < 0.6, first, (rng.random(rows) < 0.6).astype(int))
    return first, other


def p_values(number: int) -> np.ndarray:
    rng = np.random.default_rng([3, number])
    return rng.random(int(rng.integers(1, 12))) ** 3


def splits(number: int) -> np.ndarray:
    """Differences over the splits of ten runs of five folds."""
    return np.random.default_rng([4, number]).normal(0.01, 0.02, 50)


def ranked(number: int) -> np.ndarray:
    """Scores [data sets, systems], some of them tied."""
    rng = np.random.default_rng([5, number])
    shape = int(rng.integers(3, 30)), int(rng.integers(3, 11))
    return (rng.random(shape) + np.linspace(0, 0.3, shape[1])).round(2)


def trainings(number: int) -> tuple[np.ndarray, np.ndarray]:
    """Two systems' scores [seeds, tasks], some of them tied."""
    rng = np.random.default_rng([6, number])
    seeds, tasks = int(rng.integers(2, 10)), int(rng.integers(1, 20))
    return rng.random((seeds, tasks)).round(2) + 0.1, rng.random((seeds + 1, tasks)).round(2)


def planned(number: int) -> dict[str, Any]:
    """A difference, a deviation and a number of rows or seeds."""
    rng = np.random.default_rng([7, number])
    return {
        "difference": float(rng.uniform(0.02, 0.4)),
        "deviation": float(rng.uniform(0.5, 2)),
        "n": int(rng.integers(3, 200)),
    }
