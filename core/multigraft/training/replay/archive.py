"""Cached features: a frozen part's outputs for each row, found again by the row's content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.data.cache.row_file import Store, StoreWriter
from multigraft.system import cache

KIND = "replay"
KEYS = "keys.npy"
PART = 2**29
"""Bytes after which a part is closed, so that an interrupted computation loses no more."""
KEY = np.dtype("V16")


class Archive:
    """Stored results of one frozen part, in complete chunks, each renamed into place at its end."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._stores: list[Store] = []
        self._folders: dict[Path, int] = {}
        self._places: dict[bytes, tuple[int, int]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Open the parts that were added since."""
        for folder in cache.entries(KIND, f"{self.key}-"):
            if folder not in self._folders:
                self._open(folder)

    def __contains__(self, key: bytes) -> bool:
        return key in self._places

    def __bool__(self) -> bool:
        return bool(self._places)

    def read(self, key: bytes) -> Arrays:
        """Read a row's results as views of mapped memory. Raises KeyError for others."""
        part, number = self._places[key]
        return self._stores[part][number]

    def add(self, keyed: Iterable[tuple[bytes, Arrays]]) -> None:
        """Store more rows, in chunks that are there once complete. Raises OSError."""
        items = iter(keyed)
        for first in items:
            self._write(chain((first,), items), first[0].hex()[:16])
        self.refresh()

    @property
    def folders(self) -> Sequence[Path]:
        """The parts in use."""
        return list(self._folders)

    def _write(self, items: Iterable[tuple[bytes, Arrays]], name: str) -> None:
        """Take items into one part until it is full."""
        keys: list[bytes] = []
        with cache.new_entry(KIND, f"{self.key}-{name}") as folder:
            store = StoreWriter(folder)
            try:
                for key, arrays in items:
                    store.add(arrays)
                    keys.append(key)
                    if store.size >= PART:
                        break
            except BaseException:
                store.abandon()
                raise
            store.close()
            np.save(folder / KEYS, np.array(keys, dtype=KEY))

    def _open(self, folder: Path) -> None:
        with suppress(OSError, ValueError):  # evicted by another process meanwhile: computed again
            keys = np.load(folder / KEYS, allow_pickle=False)
            store = Store(folder)
            cache.touch(folder)
            part = self._folders[folder] = len(self._stores)
            self._stores.append(store)
            self._places |= {key.tobytes(): (part, number) for number, key in enumerate(keys)}


def row_key(arrays: Mapping[str, np.ndarray]) -> bytes:
    """16 bytes that stand for a row's content: names, types, shapes and numbers."""
    digest = hashlib.blake2b(digest_size=KEY.itemsize)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        digest.update(array.data)
    return digest.digest()
