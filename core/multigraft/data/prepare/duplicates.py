"""Duplicates of a corpus on disk: rows whose sketches are near, joined, of which the first stays.

Memory is a few integers a row; the sketches stay on the disk, and buckets are gone through in
partitions of the key space.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from multigraft.data.checks.near_duplicates import tables

ROWS = 2**16
"""Rows that are read at a time."""
PAIRS = 2**16
"""Pairs that are compared at a time."""
PARTITION = 2**22
"""Rows whose keys are sorted at a time."""
ROUNDS = 200
"""First rows of a bucket with which the others in it are compared; only sketches that say next to
nothing fill a bucket with more that are not near."""
NPY = ".npy"


class KeyFile:
    """Sketches [rows, values] in a ``.npy`` file, mapped; what was read is let go of again."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            start = file.tell()
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        count = int(np.prod(shape))
        self.values = np.frombuffer(self._map, dtype, count, start).reshape(shape)

    def __len__(self) -> int:
        return len(self.values)

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """All sketches in order, some at a time, each with the number of its first row."""
        for start in range(0, len(self), ROWS):
            yield start, self.values[start : start + ROWS]
            self.forget()

    def forget(self) -> None:
        """Let the system take back the pages that were read, which count as this process's."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def find_duplicates(keys: KeyFile, near: float) -> np.ndarray:
    """[rows] int64: the first row that each is near to, directly or through others; -1 where it is
    that itself, or near to none.

    Two rows are near where at least the share ``near`` of their values is equal; a sketch of zeros
    is near to none. Locality-sensitive hashing as `find_near` does it: of pairs just at ``near`` 1%
    are missed, of nearer ones fewer.
    """
    joined = _Joined(len(keys))
    filled = np.concatenate([np.zeros(0, bool), *(block.any(1) for _, block in keys.blocks())])
    partitions = max(1, -(-len(keys) // PARTITION))
    for columns, factors in tables(keys.values.shape[1], near):
        for partition in range(partitions):
            hashed, rows = _bucketed(
                keys, columns, factors, filled=filled, partition=partition, partitions=partitions
            )
            for later, first in _near_pairs(keys, hashed, rows, near):
                joined.join(later, first)
    return joined.firsts()


def _bucketed(
    keys: KeyFile,
    columns: np.ndarray,
    factors: np.ndarray,
    *,
    filled: np.ndarray,
    partition: int,
    partitions: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Keys and rows of one partition, sorted by key and then by row."""
    found_keys, found_rows = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for start, block in keys.blocks():
        hashed = (block[:, columns].astype(np.uint64) * factors).sum(1, dtype=np.uint64)
        mine = filled[start : start + len(block)].copy()
        if partitions > 1:
            mine &= (hashed >> np.uint64(32)) % np.uint64(partitions) == partition
        found_keys.append(hashed[mine])
        found_rows.append(start + np.flatnonzero(mine))
    hashed, rows = np.concatenate(found_keys), np.concatenate(found_rows)
    order = np.argsort(hashed, kind="stable")
    return hashed[order], rows[order]


def _near_pairs(
    keys: KeyFile, hashed: np.ndarray, rows: np.ndarray, near: float
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs (later row, first row) that are near, bucket by bucket: all in it are compared with its
    first row, those that are not near with the first of them, and so on."""
    again = np.flatnonzero(hashed[1:] == hashed[:-1])
    together = np.unique(np.concatenate([again, again + 1]))
    hashed, rows = hashed[together], rows[together]
    for _ in range(ROUNDS):
        if not len(rows):
            return
        starts = np.flatnonzero(np.append(True, hashed[1:] != hashed[:-1]))
        leads = np.zeros(len(rows), bool)
        leads[starts] = True
        first = rows[np.maximum.accumulate(np.where(leads, np.arange(len(rows)), 0))]
        alike = leads | (first == rows)
        others = np.flatnonzero(~leads)
        for start in range(0, len(others), PAIRS):
            some = others[start : start + PAIRS]
            share = (keys.values[rows[some]] == keys.values[first[some]]).mean(1)
            keys.forget()
            found = some[share >= near]
            alike[found] = True
            yield rows[found], first[found]
        hashed, rows = hashed[~alike], rows[~alike]


class _Joined:
    """Disjoint sets of rows (union-find); the first row of a set stands for it."""

    def __init__(self, rows: int) -> None:
        self._parent = np.arange(rows)

    def join(self, rows: np.ndarray, others: np.ndarray) -> None:
        """Join the sets of pairs of rows."""
        roots, other_roots = self._roots(rows), self._roots(others)
        apart = roots != other_roots
        for row, other in zip(roots[apart].tolist(), other_roots[apart].tolist(), strict=True):
            first, second = sorted((self._root(row), self._root(other)))
            self._parent[second] = first

    def firsts(self) -> np.ndarray:
        """The first row of each row's set; -1 for that row itself."""
        every = np.arange(len(self._parent))
        roots = self._roots(every)
        return np.where(roots == every, -1, roots)

    def _roots(self, rows: np.ndarray) -> np.ndarray:
        found = self._parent[rows]
        while len(moved := np.flatnonzero(self._parent[found] != found)):
            found[moved] = self._parent[found[moved]]
        return found

    def _root(self, row: int) -> int:
        parent = int(self._parent[row])
        while parent != row:
            row, parent = parent, int(self._parent[parent])
        return row
