"""File hashes, remembered in the cache as long as the files stay as they are."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from multigraft.system import cache
from multigraft.system.files import open_plain

log = logging.getLogger("multigraft")
KIND, KEY, FILE = "hashes", "sha256", "files.sqlite"
SETTLED = 2 * 10**9
"""Nanoseconds after a file's change in which a second one could leave its time as it is."""
HOLLOW, CLAIMED = 2**28, 100
"""From this size on a file of which less than a hundredth is on disk is nothing but a claim."""
CREATE = (
    "CREATE TABLE IF NOT EXISTS files (path BLOB PRIMARY KEY, facts TEXT, hash TEXT) WITHOUT ROWID"
)
ASK = "SELECT hash FROM files WHERE path = ? AND facts = ?"


class FileHashes:
    """A context in which files are hashed; at its end the new hashes are remembered.

    A file is the same where path, size, times and inode are. Where the cache fails, files are
    hashed anew.
    """

    def __init__(self) -> None:
        self._known: sqlite3.Connection | None = None
        self._opened = False
        self._new: list[tuple[bytes, str, str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._known is None:
            return
        with suppress(sqlite3.Error):
            with self._known:
                self._known.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", self._new)
            self._known.close()

    def digest(self, path: str) -> str:
        """SHA-256 of a file; ``unreadable: <name>`` where it cannot be read or has holes."""
        try:
            with open_plain(path) as opened:
                facts = os.fstat(opened.fileno())
                _check_filled(facts)
                name = os.fsencode(Path(path).absolute())  # a name on a disk need not be UTF-8
                told = f"{facts.st_size} {facts.st_mtime_ns} {facts.st_ctime_ns} {facts.st_ino}"
                found = self._find(name, told)
                if found is not None:
                    return found
                found = hashlib.file_digest(opened, "sha256").hexdigest()
                if time.time_ns() - max(facts.st_mtime_ns, facts.st_ctime_ns) > SETTLED:
                    self._new.append((name, told, found))
            return found
        except (OSError, ValueError):  # ValueError: no name a disk could hold
            return f"unreadable: {Path(path).name}"  # the reader will say why, with the place

    def _find(self, name: bytes, told: str) -> str | None:
        if not self._opened:
            self._known, self._opened = _open(), True
        if self._known is None:
            return None
        try:
            row: Any = self._known.execute(ASK, (name, told)).fetchone()
        except sqlite3.Error:
            return None
        return None if row is None else row[0]


def _check_filled(facts: os.stat_result) -> None:
    """Raise OSError for a file of holes, of which a few bytes could claim hours of hashing."""
    held = getattr(facts, "st_blocks", facts.st_size) * 512
    if facts.st_size >= HOLLOW and held * CLAIMED < facts.st_size:
        raise OSError(errno.EFBIG, f"it claims {facts.st_size:,} bytes, and holds {held:,}")


def _open() -> sqlite3.Connection | None:
    """The known hashes; None where the cache cannot be used. A broken file is put aside."""
    folder = cache.cache_folder() / KIND / KEY
    if cache.cache_limit() == 0:
        return None
    try:
        cache.make_folder(folder)
        cache.touch(folder)
        known = sqlite3.connect(folder / FILE, timeout=1.0)
        known.execute(CREATE)
        return known
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.OperationalError
        ):
            cache.drop_entry(folder)
        log.info("the cache of file hashes cannot be used: %s", error)
        return None
