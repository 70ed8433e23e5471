"""Locality-sensitive hashing: for each query sketch, a reference above a similarity threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from multigraft.data.checks.sketches import Sketches

TABLES = 21
MEETING = 0.2
"""That two rows just near enough meet in one table; in any of 21: 99%."""
MOST = 2000
"""Rows of a bucket that one is compared with; only sketches that say nothing fill more."""
ROWS, PAIRS = 2**16, 2**18
"""How many rows' keys are made, and how many pairs are compared, at a time."""
SEED = 1998


def find_near(asked: Sketches, known: Sketches, near: float) -> tuple[np.ndarray, np.ndarray]:
    """Find a known row at least ``near`` to each asked one: [rows] its number or -1; likeness.

    Locality-sensitive hashing by sampling values (Indyk and Motwani 1998): rows that agree in a
    random choice of values, one choice a table, are compared in all of them. Of pairs just at
    ``near`` 1% are missed, of nearer ones fewer. Memory is bounded by the known rows' keys, 16
    bytes each.
    """
    match, likeness = np.full(len(asked), -1), np.zeros(len(asked))
    for columns, factors in tables(asked.values.shape[1], near):
        open_rows = np.flatnonzero(match < 0)
        keys, order = _sorted_keys(known, columns, factors)
        queries = _keys(asked, open_rows, columns, factors)
        low, high = np.searchsorted(keys, queries), np.searchsorted(keys, queries, side="right")
        counts = np.minimum(high - low, MOST)
        counts[~_filled(asked, open_rows)] = 0
        for places, others in _pairs(low, counts, order):
            rows = open_rows[places]
            alike = (asked.values[asked.at[rows]] == known.values[known.at[others]]).mean(1)
            best = np.flatnonzero(alike >= near)[np.argsort(alike[alike >= near], kind="stable")]
            # the last, the nearest, stays
            match[rows[best]], likeness[rows[best]] = (
                others[best],
                alike[best],
            )
    return match, likeness


def tables(values: int, near: float) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw for each table the columns it looks at and the factors of its keys; always the same.

    Where rows are near only if they are equal, one table of all columns finds them all.
    """
    rng = np.random.default_rng(SEED)
    width = _width(values, near)
    for _ in range(TABLES if width < values else 1):
        yield (
            rng.permutation(values)[:width],
            rng.integers(0, 2**63, width, np.uint64) * np.uint64(2) + np.uint64(1),
        )


def _width(values: int, near: float) -> int:
    """The most columns of a table in which rows just near enough still agree by `MEETING`."""
    differing = math.floor((1 - near) * values + 1e-9)
    return max(
        width
        for width in range(1, values + 1)
        if width == 1 or math.comb(values - differing, width) >= MEETING * math.comb(values, width)
    )


def _keys(
    sketches: Sketches, rows: np.ndarray, columns: np.ndarray, factors: np.ndarray
) -> np.ndarray:
    """[rows] uint64: equal where the values in ``columns`` are, and hardly ever else."""
    keys = np.zeros(len(rows), np.uint64)
    for start in range(0, len(rows), ROWS):
        values = sketches.values[sketches.at[rows[start : start + ROWS]]]
        keys[start : start + ROWS] = (values[:, columns].astype(np.uint64) * factors).sum(
            1, dtype=np.uint64
        )
    return keys


def _sorted_keys(
    known: Sketches, columns: np.ndarray, factors: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    keys = _keys(known, np.arange(len(known)), columns, factors)
    order = np.argsort(keys)
    return keys[order], order


def _filled(sketches: Sketches, rows: np.ndarray) -> np.ndarray:
    """[rows] bool: whether a sketch is not of zeros alone."""
    filled = np.zeros(len(rows), bool)
    for start in range(0, len(rows), ROWS):
        filled[start : start + ROWS] = sketches.values[sketches.at[rows[start : start + ROWS]]].any(
            1
        )
    return filled


def _pairs(
    low: np.ndarray, counts: np.ndarray, order: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The asked rows, by place, and the known rows that share a bucket, some at a time."""
    ends = np.cumsum(counts)
    start = 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + PAIRS, side="right")))
        some = counts[start:stop]
        places = np.repeat(np.arange(start, stop), some)
        inside = np.arange(len(places)) - np.repeat(ends[start:stop] - some - before, some)
        if len(places):
            yield places, order[low[places] + inside]
        start = stop
