"""Which rows make which batch: decided before training, from the rows' lengths, the seed and the epoch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

POOL = 50
"""Batches that are sorted by length together: large enough to pad little, small enough to stay random."""
BATCHES = 3
"""What the generator is for; part of its seed."""


def plan_batches(
    lengths: np.ndarray, *, size: int, seed: int, epoch: int, shuffle: bool, world: int = 1
) -> list[np.ndarray]:
    """The row numbers of each batch; every row is in exactly one.

    Shuffled rows are pooled by `POOL` batches, sorted by length within a pool, and cut; batches are then
    shuffled. Without ``shuffle`` rows go from long to short. With ``world`` processes, process ``r`` takes
    ``batches[r::world]``: their number is a multiple of ``world``, and those of one step are of similar
    length. Where ``size`` is 1 a batch of the last step may then hold two rows. Raises ValueError for fewer
    rows than processes.
    """
    if len(lengths) < world and len(lengths):
        raise ValueError(f"{len(lengths)} rows cannot be shared by {world} processes")
    if not shuffle:
        order = np.argsort(-lengths, kind="stable")
        return [batch for step in _steps(order, size, world) for batch in step]
    rng = np.random.default_rng([seed, epoch, BATCHES])
    order = rng.permutation(len(lengths))
    if np.ptp(lengths) if len(lengths) else 0:
        order = _pooled(order, lengths, size * world * POOL)
    steps = _steps(order, size, world)
    return [batch for number in rng.permutation(len(steps)) for batch in steps[number]]


def padding_share(lengths: np.ndarray, batches: Sequence[np.ndarray]) -> float:
    """The share of positions that only pad, where each batch is padded to its longest row.

    >>> padding_share(np.array([1, 2]), [np.array([0, 1])])
    0.25
    """
    padded = sum(len(batch) * int(lengths[batch].max()) for batch in batches)
    real = sum(int(lengths[batch].sum()) for batch in batches)
    return 1 - real / padded if padded else 0.0


def _pooled(order: np.ndarray, lengths: np.ndarray, pool: int) -> np.ndarray:
    """Sort each run of ``pool`` rows by length; rows of equal length keep their random order."""
    pools = [order[start : start + pool] for start in range(0, len(order), pool)]
    return np.concatenate([rows[np.argsort(lengths[rows], kind="stable")] for rows in pools])


def _steps(order: np.ndarray, size: int, world: int) -> list[list[np.ndarray]]:
    """Cut into steps of ``world`` batches each; rows that fill no whole step are shared out evenly."""
    rest = len(order) % (size * world)
    if 0 < rest < world:  # too few for a batch each: share out the last full step too
        rest += size * world
    cut = len(order) - rest
    batches = [order[start : start + size] for start in range(0, cut, size)]
    if rest:
        batches += np.array_split(order[cut:], min(-(-rest // (size * world)), rest // world) * world)
    return [batches[start : start + world] for start in range(0, len(batches), world)]
