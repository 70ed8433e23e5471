"""Length batching: values are read ahead within bounds, and those of like length go together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import numpy as np

from multigraft.contracts.padding import Fills, fill_of
from multigraft.contracts.types import Arrays
from multigraft.system.cpu import usable_cores

READ_AHEAD = 512
"""How many values are read before they are sorted into batches, so that rows of one length meet."""
READ_BYTES = 256 << 20
"""Of their arrays, at most; long sounds are large."""
TRIED = 4
SLOW = 1e-3
"""Seconds from which reading one value (decoding an image, a sound) is shared among threads."""
ROWS = 32
MOST_ROWS = 128
"""In a batch: where nothing was measured, and at most where rows are short."""
WASTE = 4
"""A batch whose arrays vary in several axes takes at most so many times its rows' own numbers: a
tall picture and a wide one, as large as each other, pad each other without bound."""

Shapes = tuple[tuple[int, ...], ...]
"""Of some arrays of one row."""
V = TypeVar("V")
R = TypeVar("R")


def read_ahead(
    values: Iterable[V], read: Callable[[V], R], size: Callable[[R], int]
) -> Iterator[list[R]]:
    """Read values ahead: in order, in lists that are bounded in number and bytes."""
    kept: list[R] = []
    held = 0
    for row in _read(values, read):
        kept.append(row)
        held += size(row)
        if len(kept) == READ_AHEAD or held > READ_BYTES:
            yield kept
            kept, held = [], 0
    if kept:
        yield kept


def nbytes(row: Arrays) -> int:
    """The bytes of a row's arrays."""
    return sum(array.nbytes for array in row.values())


def cut(
    lengths: Sequence[int],
    *,
    rows: int | None,
    budget: int | None,
    shapes: Sequence[Shapes] = (),
) -> Iterator[list[int]]:
    """Indices of rows of like length, a batch at a time, the shortest first.

    A batch holds at most ``rows``; where that is None, as many as keep rows times the longest in
    ``budget``. With ``shapes`` (see `wide_shapes`) padding stays within `WASTE` besides.
    """
    most = rows or (ROWS if budget is None else MOST_ROWS)
    bound = None if rows else budget
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        full = bound is not None and (len(batch) + 1) * lengths[index] > bound
        wasted = shapes and _wasteful([shapes[each] for each in (*batch, index)])
        if batch and (len(batch) == most or full or wasted):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def wide_shapes(rows: Sequence[Arrays], fills: Fills) -> list[Shapes]:
    """Each row's shapes of the arrays that vary in several axes; nothing where there are none."""
    wide = [name for name, fill in fills.items() if len(fill_of(fill).axes) > 1]
    return [tuple(row[name].shape for name in wide if name in row) for row in rows] if wide else []


def _wasteful(rows: Sequence[Shapes]) -> bool:
    """Whether one of the arrays would be mostly padding."""
    arrays = (np.array(shapes, dtype=np.float64) for shapes in zip(*rows, strict=True))
    return any(len(each) * each.max(0).prod() > WASTE * each.prod(1).sum() for each in arrays)


def _read(values: Iterable[V], read: Callable[[V], R]) -> Iterator[R]:
    """In order; by several threads where the first values show that it is slow."""
    source = iter(values)
    began, count = time.perf_counter(), 0
    for value in islice(source, TRIED):
        yield read(value)
        count += 1
    if count < TRIED:
        return
    workers = min(4, usable_cores())
    if workers == 1 or (time.perf_counter() - began) / count < SLOW:
        yield from map(read, source)
        return
    with ThreadPoolExecutor(workers, "multigraft-read") as pool:
        while chunk := list(islice(source, 4 * workers)):
            yield from pool.map(read, chunk)
