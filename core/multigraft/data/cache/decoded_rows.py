"""Decoded rows: in memory where reading is quick, else decoded once into the cache."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import read_row
from multigraft.contracts.types import Arrays
from multigraft.data.cache.decoded_store import DecodedStore, DecodedStoreWriter, reader_key
from multigraft.data.sources.table import Table

OVERHEAD = 200
"""Bytes an array costs besides its data, roughly."""
TRIAL = 64
"""Rows after which it is decided whether decoding is so slow that the cache pays."""
SLOW = 100e-6
"""Seconds a row; mapped rows take a tenth."""
WORTH = 0.5
"""Seconds that decoding all rows must take before any is written to the disk."""


@dataclass(frozen=True)
class DecodedRows:
    """Decoded rows by number: in memory, in the store, or nowhere."""

    memory: Mapping[int, Arrays]
    store: DecodedStore
    chunks: np.ndarray
    """[rows] the store's chunk of each row; -1: none. Empty where no row is in the store."""
    numbers: np.ndarray

    def fetch(self, index: int, names: Collection[str] | None) -> Arrays | None:
        """Fetch those arrays of a row that are in ``names``, read-only; None: to be decoded."""
        row = self.memory.get(index)
        if row is not None:
            return {name: row[name] for name in row if names is None or name in names}
        if len(self.chunks) and self.chunks[index] >= 0:
            return self.store.fetch(int(self.chunks[index]), int(self.numbers[index]), names)
        return None


class RowDecoder:
    """Reads the rows of a table one by one, and decides which are kept where; a context."""

    def __init__(self, table: Table, reader: Reader, *, memory: int, name: str) -> None:
        self._table = table
        self._reader = reader
        self._memory = memory
        self._key = reader_key(reader)
        self._store = DecodedStore(self._key)
        self._writer = DecodedStoreWriter(self._store, name)
        self._chunks, self._numbers = _places(self._store, table)
        self._kept: dict[int, tuple[int, Arrays]] = {}
        self._seconds: list[float] = []
        self._slow = False
        self._read, self._bytes = 0, 0

    def __enter__(self) -> Self:
        self._writer.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._writer.__exit__(*error)  # type: ignore[arg-type]

    def read(self, index: int) -> Arrays:
        """The reader's arrays of one row, read-only. Raises RowError."""
        if len(self._chunks) and self._chunks[index] >= 0:
            return self._store.fetch(int(self._chunks[index]), int(self._numbers[index]), None)
        raw = self._table.raw(index)
        started = time.perf_counter()
        arrays = frozen(read_row(self._reader, raw))
        if len(self._seconds) < TRIAL:
            self._seconds.append(time.perf_counter() - started)
        return arrays

    def keep(self, index: int, number: int, arrays: Arrays) -> None:
        """Keep row ``index`` of the table, the good row ``number``, where that pays."""
        if len(self._chunks) and self._chunks[index] >= 0:
            return
        size = sum(array.nbytes + OVERHEAD for array in arrays.values())
        self._read, self._bytes = self._read + 1, self._bytes + size
        if self._slow and self._write(index, arrays):
            return
        if self._memory >= size:
            self._memory -= size
            self._kept[number] = (index, arrays)
        elif not self._slow:
            self._write(index, arrays)
        if self._read == TRIAL:
            self._decide()

    def finish(self, good: Table) -> DecodedRows:
        """Collect what is kept of the good rows, once this context has ended."""
        memory = {number: arrays for number, (_, arrays) in self._kept.items()}
        store = DecodedStore(self._key)
        return DecodedRows(memory, store, *_places(store, good))

    def _decide(self) -> None:
        """Where decoding is slow, move what is in memory to the store, as far as there is room."""
        each = float(np.median(self._seconds))
        self._slow = each > SLOW and each * len(self._table) > WORTH
        if not self._slow:
            return
        for number, (index, arrays) in list(self._kept.items()):
            if not self._write(index, arrays):
                return
            self._memory += sum(array.nbytes + OVERHEAD for array in arrays.values())
            del self._kept[number]

    def _write(self, index: int, arrays: Arrays) -> bool:
        left = (len(self._table) - self._read + 1) * self._bytes // self._read
        return self._writer.add(self._table.digest(index), arrays, left)


def _places(store: DecodedStore, table: Table) -> tuple[np.ndarray, np.ndarray]:
    if not store:  # digests of arranged rows are made for this alone
        return np.empty(0, np.int16), np.empty(0, np.int64)
    return store.find(table.digests)


def frozen(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Make arrays read-only: rows are used again, and a change in place would be felt later."""
    made = {name: np.asarray(value) for name, value in arrays.items()}
    for array in made.values():
        array.setflags(write=False)
    return made
