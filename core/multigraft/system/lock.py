"""Run lock: one process at a time in a run's folder."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from multigraft.errors import RunError

LOCK, HOLDER = ".lock", ".lock.json"


TRIES = 100
"""How often a folder is made anew that another starter, who failed, has just removed."""


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises RunError, naming the holder, where another process has it.

    The system lets go of it when the holder dies, however it dies.
    """
    lock = _acquired(folder)
    try:
        with suppress(OSError):  # only tells people who holds it
            (folder / HOLDER).write_text(
                json.dumps({"process": os.getpid(), "host": platform.node()})
            )
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER).unlink()
        lock.release()


@contextmanager
def claimed(folder: Path, *, fresh: bool) -> Iterator[Path]:
    """Make the folder of a new run and hold its lock, before anything else is written into it.

    With ``fresh`` it must not be there before; where it is, ``folder-2`` is made, or what comes
    next. A folder that was made here and stayed empty is taken away again.

    Raises RunError where another process has it.
    """
    for _ in range(TRIES):
        path, made = _fresh(folder) if fresh else (folder, _make(folder))
        with ExitStack() as held:
            try:
                held.enter_context(alone_in(path))
            except FileNotFoundError:
                continue
            try:
                yield path
            finally:
                if made:
                    _take_away(path)
            return
    raise RunError(
        f"{folder}: cannot be made: it is taken away again and again; name another output"
    )


def _acquired(folder: Path) -> FileLock:
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"{folder}: {_holder(folder)} is at work on this run; wait for it, or end it first"
        ) from error
    return lock


def _make(folder: Path) -> bool:
    """Make a folder that need not be new; whether it is."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        if not folder.is_dir():
            raise
        return False
    return True


def _fresh(folder: Path) -> tuple[Path, bool]:
    """Make a folder that nobody made before, under this name or the next free one."""
    path, number = folder, 2
    while not _make(path):
        path, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return path, True


def _take_away(folder: Path) -> None:
    """Remove a folder that holds nothing but the lock, which this process has."""
    with suppress(OSError):
        if {path.name for path in folder.iterdir()} <= {LOCK, HOLDER}:
            (folder / HOLDER).unlink(missing_ok=True)
            (folder / LOCK).unlink()
            folder.rmdir()


def _holder(folder: Path) -> str:
    try:
        said = json.loads((folder / HOLDER).read_text())
        return f"process {said['process']} on {said['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
