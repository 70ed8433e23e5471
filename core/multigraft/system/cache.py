"""The machine's cache of what can be made again: entries are folders ``<kind>/<key>``.

An entry is complete or absent; the one used longest ago goes first when room is needed.
"""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from multigraft.system.files import expanded, sync_folder

log = logging.getLogger("multigraft")
FOLDER, LIMIT = "MULTIGRAFT_CACHE", "MULTIGRAFT_CACHE_GB"
DEFAULT_GB = 20.0
SPARE, SPARE_SHARE = 2 * 2**30, 0.1
"""What stays free on the disk: the smaller of these bytes and this share of it."""
DAY = 86_400
NOWHERE = Path(os.devnull, "multigraft")
"""Nothing is ever there, and nothing can be made there."""
_numbers = count()
_told: set[tuple[Path, str]] = set()
"""What was warned of, once in a process."""


def cache_folder() -> Path:
    """Folder of the entries: ``$MULTIGRAFT_CACHE``, else ``multigraft`` in the user's cache.

    `NOWHERE` for who has no such folder, or whose is another user's: it is trusted, so nobody else
    may have written it unless the person named it.
    """
    asked = os.environ.get(FOLDER)
    folder = expanded(asked) if asked else _own_folder()
    why = _unusable(folder, named=bool(asked))
    if why is None:
        return folder
    if (folder, why) not in _told:
        _told.add((folder, why))
        log.warning(
            "%s: %s; going on without a cache. %s names another folder", folder, why, FOLDER
        )
    return NOWHERE


def _unusable(folder: Path, *, named: bool) -> str | None:
    """Why a folder cannot be the cache; None where it can, or is still to be made."""
    if not folder.is_absolute() and not named:
        return "this user has no home folder"
    try:
        owner = folder.stat().st_uid
    except FileNotFoundError:
        return None
    except OSError as error:
        return error.strerror or "cannot be looked at"
    if not os.access(folder, os.R_OK | os.X_OK):
        return "may not be read by this user"
    if not named and hasattr(os, "geteuid") and owner != os.geteuid():
        return "belongs to another user"
    return None


def _own_folder() -> Path:
    """`multigraft` in the person's cache folder; relative where nobody knows of a home."""
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        home = "~/Library/Caches"
    else:
        home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return expanded(home) / "multigraft"


def make_folder(folder: Path) -> None:
    """Make a folder of the cache, which only this person may read: it holds their rows."""
    root = cache_folder()
    root.parent.mkdir(parents=True, exist_ok=True)
    root.mkdir(mode=0o700, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)


def cache_limit() -> int:
    """Byte limit of all entries: ``$MULTIGRAFT_CACHE_GB``, else 20 GB; 0 is no cache."""
    asked = os.environ.get(LIMIT)
    try:
        return max(0, int(float(asked or DEFAULT_GB) * 1e9))
    except (ValueError, OverflowError):
        log.warning("%s=%r is no number of gigabytes; %g is used", LIMIT, asked, DEFAULT_GB)
        return int(DEFAULT_GB * 1e9)


def find_entry(kind: str, key: str) -> Path | None:
    """The folder of a complete entry, marked as used now; None where there is none."""
    path = cache_folder() / kind / key
    if not path.is_dir():
        return None
    touch(path)
    return path


def entries(kind: str, start: str = "") -> list[Path]:
    """The complete entries of a kind whose key begins with ``start``, by name."""
    try:
        found = sorted((cache_folder() / kind).iterdir())
    except OSError:
        return []
    return [path for path in found if path.name.startswith(start) and not _is_temporary(path)]


def touch(path: Path) -> None:
    """Mark an entry as used now, where the folder may be written."""
    with suppress(OSError):
        os.utime(path)


@contextmanager
def new_entry(kind: str, key: str) -> Iterator[Path]:
    """Give an empty folder that becomes the entry when the block ends without an error.

    Where another process was first, its entry stays and this one is dropped. Raises OSError where
    the cache cannot be written.
    """
    path = cache_folder() / kind / key
    beside = path.with_name(f".{key}.{platform.node()}.{os.getpid()}.{next(_numbers)}.new")
    make_folder(beside)
    try:
        yield beside
        sync_folder(beside)
        _settle(beside, path)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _settle(beside: Path, path: Path) -> None:
    try:
        beside.rename(path)
    except OSError:
        if not path.is_dir():
            raise


def drop_entry(path: Path) -> None:
    """Remove an entry that turned out to be broken."""
    aside = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.{next(_numbers)}.old")
    with suppress(OSError):
        path.rename(aside)  # gone at once for others, then taken apart
        shutil.rmtree(aside, ignore_errors=True)


def room_for(size: int, *, keep: Collection[Path] = ()) -> bool:
    """Make room for ``size`` bytes by evicting entries but ``keep``; say whether there is.

    Both the cache's limit and the disk's free space count.
    """
    folder = cache_folder()
    with suppress(OSError):
        make_folder(folder)
    try:
        disk = shutil.disk_usage(folder)
    except OSError:
        return False
    limit = cache_limit()
    free = disk.free - min(SPARE, int(disk.total * SPARE_SHARE))
    if size > limit or not os.access(folder, os.W_OK):
        return False
    used = folder_size(folder)
    allowed = min(limit, used + free) - size
    if used > allowed >= 0:
        used = trim(folder, allowed, keep=keep)
    return used <= allowed


def trim(folder: Path, limit: int, *, keep: Collection[Path] = ()) -> int:
    """Evict least recently used entries until ``limit`` bytes are left; give what is left.

    Temporaries of processes that ended go first; ``keep`` and what others are writing stays.
    """
    _sweep(folder)
    kept = {path.resolve() for path in keep}
    found = [path for path in folder.glob("*/*") if path.is_dir()]
    sizes = {path: folder_size(path) for path in found}
    total = sum(sizes.values())
    for path in sorted(found, key=_used):
        if total <= limit:
            break
        if _is_temporary(path) or path.resolve() in kept:
            continue
        drop_entry(path)
        if not path.exists():
            total -= sizes[path]
    return total


def folder_size(folder: Path) -> int:
    """The bytes of all files below ``folder``; what vanishes meanwhile counts as nothing."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_size  # noqa: PTH118 (many files)
    return total


def _sweep(folder: Path) -> None:
    for path in folder.glob("*/.*"):
        if _is_temporary(path) and _is_stale(path):
            shutil.rmtree(path, ignore_errors=True)


def _is_temporary(path: Path) -> bool:
    return path.name.startswith(".") and path.suffix in (".new", ".old")


def _is_stale(path: Path) -> bool:
    """Whether the process that writes it has ended; another machine's is known only by its age."""
    *name, pid, _, _ = path.name.split(".")
    here = ".".join(name).endswith(f".{platform.node()}") and os.name == "posix"
    if here and pid.isdigit():
        return not _alive(int(pid))
    newest = max((_used(each) for each in [path, *path.rglob("*")]), default=0.0)
    return time.time() - newest > DAY


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _used(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
