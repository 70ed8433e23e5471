"""Atomic writes: files and folders that are there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO


def is_plain_name(name: str) -> bool:
    """Tell whether ``name`` can only be a file directly in a folder, on every system."""
    return name not in {"", ".", ".."} and not any(sign in name for sign in "/\\:\0")


def expanded(path: str | Path) -> Path:
    """A path with ``~`` as the home folder; as it is written where the system knows of none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # a user without an entry and without HOME, or a name that is no user's
        return Path(path)


def whole_path(path: str | Path) -> Path:
    """Complete a path from the root, so that it means the same from any working folder."""
    return expanded(path).resolve()


def check_plain(path: str | Path | int, *, limit: int | None = None) -> None:
    """Raise OSError for what is no plain file of at most ``limit`` bytes.

    To be asked before a file of a stranger is read: a device or a pipe would be read for ever.
    """
    facts = os.stat(path)  # noqa: PTH116 - of an open file too
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "it is no plain file")
    if limit is not None and facts.st_size > limit:
        raise OSError(errno.EFBIG, f"it has {facts.st_size:,} bytes; at most {limit:,} are read")


def leads_out(path: Path) -> bool:
    """Tell whether a link leads out of what belongs to its folder.

    What belongs to it: all below it, where a cluster mounts configuration as links into a folder of
    its own, and the blobs beside a hub's snapshots, which are links into them.
    """
    folder, target = path.parent.resolve(), path.resolve()
    blobs = next(
        (each.parent / "blobs" for each in folder.parents if each.name == "snapshots"), None
    )
    return not target.is_relative_to(folder) and target.parent != blobs


def open_plain(path: str | Path, *, limit: int | None = None) -> BufferedReader:
    """Open a plain file of at most ``limit`` bytes, to be read. Raises OSError for anything else.

    What was opened is looked at too, not only what stood there before: a pipe that took its place
    is not waited for.
    """
    try:
        check_plain(path, limit=limit)
        handle = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except ValueError as error:  # NUL, or half a surrogate pair
        raise OSError(errno.EINVAL, "it is text, not the path of a file") from error
    file = os.fdopen(handle, "rb")
    try:
        check_plain(handle, limit=limit)
    except BaseException:
        file.close()
        raise
    return file


def check_tree(folder: Path, *, links: bool) -> None:
    """Raise OSError where anything below ``folder`` is neither a plain file nor a folder.

    ``links`` may lead to the blobs beside a hub's snapshot too, which is how its cache is laid out;
    no link may lead elsewhere.
    """
    inside = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_dir():
            continue
        out = path.is_symlink() and not path.resolve().is_relative_to(inside)
        if out and not (links and not leads_out(path)):
            told = "is a link out of the folder; copy it with what its links lead to: cp -rL"
            raise OSError(errno.EINVAL, f"{path.relative_to(folder)} {told}")
        if path.exists() and not path.is_file():
            raise OSError(errno.EINVAL, f"{path.relative_to(folder)} is no plain file")


def write_json(path: Path, value: Any) -> None:
    """Write JSON beside ``path``, sync it, and rename it into place.

    Half a surrogate pair, as in the name of a file that is not UTF-8, is escaped and comes back as
    it was.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    if not _is_utf8(text):
        text = json.dumps(value, indent=2)
    write_text(path, text + "\n")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def write_text(path: Path, text: str) -> None:
    """Write text beside ``path``, sync it, and rename it into place."""
    with new_file(path) as file:
        file.write(text.encode())


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Give a file beside ``path`` that is synced and renamed into place when the block ends without
    an error."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give an empty folder that replaces ``path`` when the block ends without an error.

    A folder that stood at ``path`` is removed only once the new one is complete.
    """
    beside = path.with_name(f".{path.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        yield beside
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise
    sync_folder(beside)
    old = path.with_name(f".{path.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    beside.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def remove_folder(path: Path) -> None:
    """Remove a folder at once for whoever looks: cut short, no part of it stands under its name."""
    aside = path.with_name(f".{path.name}.old")
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(FileNotFoundError):  # another process of the same training was first
        path.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def sweep(folder: Path) -> None:
    """Remove what a process that was killed left half written or half removed in ``folder``."""
    for path in folder.glob(".*"):
        if path.suffix in (".new", ".old"):
            shutil.rmtree(path, ignore_errors=True)


def sync_folder(folder: Path) -> None:
    """Ask the disk to keep every file below ``folder``, and the folder itself."""
    for path in [*folder.rglob("*"), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
