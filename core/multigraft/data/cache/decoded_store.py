"""Decoded rows in the machine's cache, found by content, whatever the split, seed or file."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Collection
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

import numpy as np

from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import fingerprint
from multigraft.contracts.types import Arrays, Spec
from multigraft.data.cache import digests
from multigraft.data.cache.row_file import Store, StoreWriter, map_array
from multigraft.system import cache
from multigraft.system.about import __version__
from multigraft.system.versions import installed_versions

log = logging.getLogger("multigraft")
KIND = "rows"
DIGESTS, NUMBERS = "digests.npy", "numbers.npy"
CHUNK = 2**31
"""Bytes after which a chunk is closed: a killed process loses no more. Each chunk costs two open
files."""
LIBRARIES = ("numpy", "pillow", "soundfile", "soxr", "tokenizers")
"""What decodes: another version may decode the same bytes into other numbers."""


class DecodedStore:
    """The decoded rows of one reader, in complete chunks with the digests of their raw values."""

    def __init__(self, key: str | None) -> None:
        """Open the chunks under ``key``; None: a reader whose rows cannot be kept."""
        self.key = key
        self.folders: list[Path] = []
        self._stores: list[Store] = []
        for folder in cache.entries(KIND, f"{key}-") if key else ():
            self._open(folder)

    def __bool__(self) -> bool:
        return bool(self._stores)

    def _open(self, folder: Path) -> None:
        try:
            store = Store(folder)
            _known(folder)
        except (FileNotFoundError, ValueError, KeyError):  # damaged: its rows are decoded again
            cache.drop_entry(folder)
        except OSError as error:
            log.warning("%s: cannot be opened: %s", folder, error)
        else:
            cache.touch(folder)
            self._stores.append(store)
            self.folders.append(folder)

    def find(self, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find each digest's chunk, int16, and its number there, int64; -1 for what is not here."""
        chunks, numbers = np.full(len(wanted), -1, np.int16), np.full(len(wanted), -1)
        for chunk, folder in enumerate(self.folders):
            with suppress(OSError, ValueError):  # evicted since it was opened
                known, order = _known(folder)
                at = digests.find(wanted, known)
                found = np.flatnonzero(at >= 0)
                chunks[found], numbers[found] = chunk, order[at[found]]
        return chunks, numbers

    def fetch(self, chunk: int, number: int, names: Collection[str] | None) -> Arrays:
        """Fetch those arrays of a row that are in ``names`` (None: all), as read-only views."""
        return self._stores[chunk].fetch(number, names)


def _known(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """The sorted digests of a chunk, and the number of each one's row in its store."""
    return digests.load(folder / DIGESTS), map_array(folder / NUMBERS)


class DecodedStoreWriter:
    """Adds chunks to a store while rows are read; a context, which closes the last one."""

    def __init__(self, store: DecodedStore, name: str) -> None:
        """``name`` is what a person calls the rows."""
        self._decoded = store
        self._name = name
        self._full = store.key is None
        self._entry = ExitStack()
        self._folder = Path()
        self._store: StoreWriter | None = None
        self._digests: list[bytes] = []
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if kind is None:
            self._close()
        elif self._store is not None:
            self._abandon()

    def add(self, digest: bytes, row: Arrays, expected: int) -> bool:
        """Write a row where there is room for ``expected`` bytes or a chunk; say whether."""
        if self._full or (self._store is None and not self._begin(min(expected, CHUNK))):
            return False
        assert self._store is not None
        try:
            self._store.add(row)
            self._digests.append(digest)
            if self._store.size >= CHUNK:
                self._close()
        except (OSError, TypeError) as error:
            self._give_up(f"cannot be written: {error}")
            return False
        return True

    def _begin(self, size: int) -> bool:
        if not cache.room_for(size, keep=[*self._decoded.folders, *self._made]):
            self._give_up("has no room for them")
            return False
        key = f"{self._decoded.key}-{len(self._made)}-{np.random.default_rng().bytes(4).hex()}"
        try:
            self._folder = self._entry.enter_context(cache.new_entry(KIND, key))
            self._store = StoreWriter(self._folder)
        except OSError as error:
            self._give_up(f"cannot be written: {error}")
            return False
        self._made.append(cache.cache_folder() / KIND / key)
        return True

    def _close(self) -> None:
        if self._store is None:
            return
        store, self._store = self._store, None
        wanted = np.frombuffer(b"".join(self._digests), digests.DIGEST)
        self._digests = []
        order = np.argsort(wanted)
        try:
            store.close()
            digests.save(self._folder / DIGESTS, wanted[order])
            np.save(self._folder / NUMBERS, order)
            self._entry.close()
        except OSError as error:
            self._store = store
            self._give_up(f"cannot be written: {error}")

    def _give_up(self, why: str) -> None:
        if not self._full:
            log.warning(
                "%s: decoded rows are not all kept, the cache %s; the others are decoded again "
                "each time",
                self._name,
                why,
            )
        self._full = True
        if self._store is not None:
            self._abandon()

    def _abandon(self) -> None:
        assert self._store is not None
        self._store.abandon()
        self._store, self._digests = None, []
        self._entry.__exit__(RuntimeError, RuntimeError(), None)


def reader_key(reader: Reader) -> str | None:
    """Key of a reader's arrays: its class and code, its spec, and the libraries that decode.

    None for a reader whose code is in no file.
    """
    kind = type(reader)
    code = code_facts(kind.__module__)
    if code is None:
        return None
    return fingerprint(
        {"reader": f"{kind.__module__}.{kind.__qualname__}", "spec": reader.spec(), **code}
    )


def code_facts(module: str) -> Spec | None:
    """Describe a module's code: its package's files, and the versions of the libraries it uses.

    None for a module that is in no file.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return None
    code = hashlib.sha256()
    for path in sorted(Path(file).parent.glob("*.py")):
        code.update(path.read_bytes())
    return {
        "code": code.hexdigest(),
        "versions": {"": __version__, **installed_versions(LIBRARIES)},
    }
