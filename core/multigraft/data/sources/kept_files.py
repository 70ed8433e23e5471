"""Files made from others, as an archive's: kept in the machine's cache, or for a while only."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from multigraft.system import cache

log = logging.getLogger("multigraft")


@contextmanager
def kept_files(kind: str, key: str, size: int, make: Callable[[Path], None]) -> Iterator[Path]:
    """Give the folder that ``make`` fills with about ``size`` bytes: the cache's, made once.

    Where the cache has no room, a temporary one. Raises whatever ``make`` raises.
    """
    found = cache.find_entry(kind, key)
    if found is None and cache.room_for(size):
        with cache.new_entry(kind, key) as folder:
            make(folder)
        found = cache.find_entry(kind, key)
    if found is not None:
        yield found
        return
    with tempfile.TemporaryDirectory(prefix="multigraft-") as name:
        make(Path(name))
        yield Path(name)
