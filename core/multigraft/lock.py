"""One process at a time in a run's folder."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from multigraft.errors import RunError

LOCK, HOLDER = ".lock", ".lock.json"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises RunError, naming the holder, where another process has it.

    The system lets go of it when the holder dies, however it dies.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"{folder}: {_holder(folder)} is at work on this run; wait for it, or end it first"
        ) from error
    try:
        with suppress(OSError):  # only tells people who holds it
            (folder / HOLDER).write_text(json.dumps({"process": os.getpid(), "host": platform.node()}))
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER).unlink()
        lock.release()


def _holder(folder: Path) -> str:
    try:
        said = json.loads((folder / HOLDER).read_text())
        return f"process {said['process']} on {said['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
