"""Short rows joined into long sequences, so that hardly a position only pads (Krell et al.
2021)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from multigraft.contracts.padding import Fills, fill_of
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.data.batching.batches import plan_batches
from multigraft.errors import DataError, PluginError

PACKS = 7
"""What the generator is for; part of its seed."""


def plan_packs(
    lengths: np.ndarray,
    *,
    capacity: int,
    size: int,
    seed: int,
    epoch: int,
    shuffle: bool,
    world: int = 1,
) -> list[tuple[np.ndarray, ...]]:
    """The packs of each batch, at most ``size``: the row numbers that make one sequence.

    Every row is in exactly one pack, and no pack is longer than ``capacity``. Best-fit decreasing
    (Johnson 1973) over all rows: their lengths decide the shapes of the packs; with ``shuffle``,
    chance decides which row of a length takes which place, and which packs meet. ``world`` as in
    `plan_batches`. Raises DataError for rows longer than ``capacity``.
    """
    _refuse_long(lengths, capacity)
    rng = np.random.default_rng([seed, epoch, PACKS])
    order = rng.permutation(len(lengths)) if shuffle else np.arange(len(lengths))
    packs = _best_fit(order, lengths, capacity)
    totals = np.array([lengths[pack].sum() for pack in packs], dtype=np.int64)
    batches = plan_batches(totals, size=size, seed=seed, epoch=epoch, shuffle=shuffle, world=world)
    return [tuple(packs[number] for number in batch) for batch in batches]


def join(rows: Sequence[Arrays], fills: Fills) -> Arrays:
    """One sequence of T positions from several rows; ``segments`` int64 [T] numbers their rows from
    1.

    Raises PluginError for an array that is not one value a position.

    >>> join([{"x": np.array([7, 8])}, {"x": np.array([9])}], {"x": 0})
    {'x': array([7, 8, 9]), 'segments': array([1, 1, 2])}
    """
    whole = [name for name in rows[0] if name not in fills]
    if whole:
        raise PluginError(
            f"array {whole[0]!r} has one value a row, so rows cannot be joined; leave "
            "training.packing unset"
        )
    wide = [name for name in rows[0] if set(fill_of(fills[name]).axes) != {0}]
    if wide:
        axes = ", ".join(fill_of(fills[wide[0]]).axes.values())
        raise PluginError(
            f"array {wide[0]!r} varies in {axes}, and rows are joined along their first axis only; "
            "leave training.packing unset"
        )
    counts = {name: [len(row[name]) for row in rows] for name in rows[0]}
    (first, expected), *others = counts.items()
    for name, found in others:
        if found != expected:
            raise PluginError(
                f"arrays {first!r} and {name!r} of one row differ in length, so rows cannot be "
                "joined; leave training.packing unset"
            )
    joined = {name: np.concatenate([row[name] for row in rows]) for name in counts}
    return {**joined, "segments": np.repeat(np.arange(1, len(rows) + 1), expected)}


def collate_packs(packs: Sequence[Sequence[Arrays]], fills: Fills) -> Arrays:
    """A batch of joined rows, padded to the longest pack; ``segments`` [B, T] is 0 where padded."""
    return collate([join(rows, fills) for rows in packs], {**fills, "segments": 0})


def _refuse_long(lengths: np.ndarray, capacity: int) -> None:
    long = int((lengths > capacity).sum())
    if long:
        raise DataError(
            f"{long} of {len(lengths)} rows are longer than training.packing ({capacity}), the "
            f"longest {int(lengths.max())}; raise it, or shorten rows with reader.max_length"
        )


def _best_fit(order: np.ndarray, lengths: np.ndarray, capacity: int) -> list[np.ndarray]:
    """Packs of the rows in ``order``: long rows first, each where the least space is left."""
    rows = order[np.argsort(-lengths[order], kind="stable")]
    packing = _Packing(len(lengths), capacity)
    for run in np.split(rows, np.flatnonzero(np.diff(lengths[rows])) + 1):
        if len(run):
            packing.place(run, int(lengths[run[0]]))
    ends = np.cumsum(np.bincount(packing.pack_of, minlength=packing.count))
    return np.split(np.argsort(packing.pack_of, kind="stable"), ends[:-1]) if len(ends) else []


class _Packing:
    """Packs while they are filled. Rows of one length are placed together: no step is taken for
    each row."""

    def __init__(self, rows: int, capacity: int) -> None:
        self.pack_of = np.empty(rows, dtype=np.int64)
        """[rows]: the number of each row's pack."""
        self.count = 0
        self.capacity = capacity
        self._open: dict[int, np.ndarray] = {}
        """Free positions -> the packs that have so many."""

    def place(self, rows: np.ndarray, length: int) -> None:
        """Put ``rows``, all of one ``length``, where the least space is left, then into new
        packs."""
        for space in sorted(space for space in self._open if space >= length):
            rows = self._fill(rows, length, self._open.pop(space), space)
        fresh = np.arange(self.count, self.count - (-len(rows) // (self.capacity // length)))
        self.count += len(fresh)
        self._fill(rows, length, fresh, self.capacity)

    def _fill(self, rows: np.ndarray, length: int, packs: np.ndarray, space: int) -> np.ndarray:
        """Fill one pack after another, each with ``space`` left; give back the rows that found no
        place."""
        each = space // length
        placed = min(len(rows), len(packs) * each)
        self.pack_of[rows[:placed]] = np.repeat(packs, each)[:placed]
        full, partly = divmod(placed, each)
        self._reopen(packs[:full], space - each * length)
        self._reopen(packs[full : full + 1], space - partly * length)
        self._reopen(packs[full + 1 :], space)
        return rows[placed:]

    def _reopen(self, packs: np.ndarray, space: int) -> None:
        if len(packs) and space:
            self._open[space] = np.concatenate([self._open.get(space, packs[:0]), packs])
