"""Which rows make which batch: decided before training, from the rows' lengths, the seed and the
epoch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

POOL = 50
"""Batches that are sorted by length together: large enough to pad little, small enough to stay
random."""
BATCHES = 3
"""What the generator is for; part of its seed."""

Members = np.ndarray | tuple[np.ndarray, ...]
"""The row numbers of one batch; a tuple holds those of each of its packs
(`multigraft.data.batching.packing`)."""


def plan_batches(
    lengths: np.ndarray,
    *,
    size: int,
    seed: int,
    epoch: int,
    shuffle: bool,
    by_length: bool = True,
    world: int = 1,
    budget: float | None = None,
) -> list[np.ndarray]:
    """The row numbers of each batch, at most ``size``; every row is in exactly one.

    With a ``budget``, in the unit of ``lengths``, a batch's rows times its longest row stay within
    it; a row that is longer makes a batch of its own. Shuffled rows are pooled by `POOL` batches,
    sorted by length within a pool, and cut; batches are then shuffled. Without ``by_length`` they
    are cut in their random order. Without ``shuffle`` rows go from long to short.

    With ``world`` processes, process ``r`` takes ``batches[r::world]``: their number is a multiple
    of ``world``, and those of one step are of similar length where rows are sorted. To reach that
    multiple the last large batches are halved; where every batch is one row, some hold two,
    whatever ``size`` and ``budget``. Raises ValueError for fewer rows than processes.
    """
    if not len(lengths):
        return []
    if len(lengths) < world:
        raise ValueError(f"{len(lengths)} rows or packs cannot be shared by {world} processes")
    limit = math.inf if budget is None else budget
    if not shuffle:
        return _even(_cut(np.argsort(-lengths, kind="stable"), lengths, size, limit), world)
    rng = np.random.default_rng([seed, epoch, BATCHES])
    order = rng.permutation(len(lengths))
    cut = (
        _cut_pools(order, lengths, size, limit, world)
        if by_length
        else _cut(order, lengths, size, limit)
    )
    batches = _even(cut, world)
    steps = rng.permutation(len(batches) // world)
    return [batches[step * world + process] for step in steps for process in range(world)]


def padding_share(lengths: np.ndarray, batches: Sequence[Members]) -> float:
    """The share of positions that only pad, where each batch is padded to its longest row or pack.

    >>> padding_share(np.array([1, 2]), [np.array([0, 1])])
    0.25
    >>> padding_share(np.array([1, 2, 4]), [(np.array([0, 1]), np.array([2]))])
    0.125
    """
    padded, real = 0, 0
    for batch in batches:
        sequences = _sequence_lengths(lengths, batch)
        padded += len(sequences) * int(sequences.max())
        real += int(sequences.sum())
    return 1 - real / padded if padded else 0.0


def _sequence_lengths(lengths: np.ndarray, batch: Members) -> np.ndarray:
    if isinstance(batch, tuple):
        return np.array([lengths[pack].sum() for pack in batch])
    found: np.ndarray = lengths[batch]
    return found


def _cut_pools(
    order: np.ndarray, lengths: np.ndarray, size: int, limit: float, world: int
) -> list[np.ndarray]:
    """Sort each pool by length and cut it; rows of equal length keep their random order.

    What fills no whole step of ``world`` batches moves to the next pool, so only the last one has
    such rows.
    """
    pool = _most(lengths.mean(), size, limit) * world * POOL
    batches: list[np.ndarray] = []
    rest = order[:0]
    for start in range(0, len(order), pool):
        rows = np.concatenate([rest, order[start : start + pool]])
        rows = rows[np.argsort(lengths[rows], kind="stable")]
        cut = _cut(rows, lengths, size, limit)
        if start + pool < len(order):
            full = len(cut) - (len(cut[-1]) < size)
            cut = cut[: full - full % world]
            rest = rows[sum(map(len, cut)) :]
        batches += cut
    return batches


def _cut(order: np.ndarray, lengths: np.ndarray, size: int, limit: float) -> list[np.ndarray]:
    """Cut rows one batch after another, each with as many rows as ``size`` and ``limit`` allow."""
    batches = []
    start = 0
    while start < len(order):
        rows = order[start : start + _most(lengths[order[start]], size, limit)]
        padded = np.maximum.accumulate(lengths[rows]) * np.arange(1, len(rows) + 1)
        batches.append(rows[: max(1, int(np.searchsorted(padded, limit, side="right")))])
        start += len(batches[-1])
    return batches


def _most(length: float, size: int, limit: float) -> int:
    """How many rows fit into a batch that is padded to ``length``; at least one."""
    return size if limit >= size * length else max(1, int(limit / length))


def _even(batches: list[np.ndarray], world: int) -> list[np.ndarray]:
    """Batches whose number is a multiple of ``world``: large ones are halved, else single rows are
    paired."""
    while extra := len(batches) % world:
        at = max(range(len(batches)), key=lambda number: (len(batches[number]), number))
        if len(batches[at]) == 1:
            tail = batches[-2 * extra :]
            pairs = [np.concatenate(pair) for pair in zip(tail[::2], tail[1::2], strict=True)]
            return [*batches[: -2 * extra], *pairs]
        batches[at : at + 1] = np.array_split(batches[at], 2)
    return batches
