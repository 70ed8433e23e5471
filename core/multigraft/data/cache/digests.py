"""Content digests: arrays [rows] of 16 bytes, remembered in the cache and compared."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from multigraft.data.cache.row_file import map_array
from multigraft.system import cache

KIND, FILE = "digests", "digests.npy"
DIGEST = np.dtype("V16")


def remembered(key: str, make: Callable[[], np.ndarray]) -> np.ndarray:
    """Map the digests under ``key`` as an array, made and kept first where there are none."""
    entry = cache.find_entry(KIND, key)
    if entry is not None:
        try:
            return load(entry / FILE)
        except (OSError, ValueError):
            cache.drop_entry(entry)
    made = make()
    if cache.room_for(made.nbytes):
        with suppress(OSError), cache.new_entry(KIND, key) as folder:
            save(folder / FILE, made)
    return made


def save(path: Path, digests: np.ndarray) -> None:
    """Write digests as a file of numpy's."""
    np.save(path, digests.view(np.uint8).reshape(-1, DIGEST.itemsize))


def load(path: Path) -> np.ndarray:
    """Map digests as they were saved. Raises what `map_array` raises."""
    return map_array(path).reshape(-1).view(DIGEST)


def find(wanted: np.ndarray, known: np.ndarray) -> np.ndarray:
    """[wanted] int64: where in ``known``, which is sorted, each digest is; -1 where it is not."""
    if not len(known):
        return np.full(len(wanted), -1)
    at = np.searchsorted(known, wanted).clip(max=len(known) - 1)
    return np.where(known[at] == wanted, at, -1)
