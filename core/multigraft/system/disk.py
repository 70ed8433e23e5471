"""Disk space and permissions: failures said so that a person knows what to do."""

from __future__ import annotations

import errno
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from multigraft.errors import RunError
from multigraft.system.resume_command import resume_command

log = logging.getLogger("multigraft")
BLOCK = 512
"""The bytes that `os.stat_result.st_blocks` counts in."""
FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
RESUME = "what was saved before is whole; then go on with: {command}"


def check_space(folder: Path, needed: int, *, begun: bool = False) -> None:
    """Raise RunError where a run of ``needed`` bytes in all has no room on its folder's disk.

    What lies in the folder already is part of them. A run that was ``begun`` before is warned only,
    and goes on: the need is an estimate, and what was saved stays whole where the disk fills up
    after all.
    """
    free, held = shutil.disk_usage(folder).free, size_of(folder)
    if free + held >= needed:
        return
    told = (
        f"{folder}: the disk has {megabytes(free)} free, and the checkpoints and the model of this "
        f"run need about {megabytes(needed - held)}"
    )
    if not begun:
        raise RunError(f"{told}; make room, name another output, or lower training.keep")
    log.warning("%s more; where it fills up, make room and go on again", told)


def size_of(folder: Path) -> int:
    """The bytes that the files below a folder take on the disk."""
    found = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # removed meanwhile
            facts = path.lstat()
            # a file with holes takes less than its size
            found += facts.st_blocks * BLOCK if hasattr(facts, "st_blocks") else facts.st_size
    return found


@contextmanager
def explaining(folder: Path) -> Iterator[None]:
    """Turn the disk's refusal of a file in ``folder`` into a RunError with what to do."""
    try:
        yield
    except OSError as error:
        told = _told(error, folder)
        if told is None:
            raise
        raise RunError(told) from error


def _told(error: OSError, folder: Path) -> str | None:
    resume = RESUME.format(command=resume_command(folder))
    if error.errno in FULL:
        place = Path(str(error.filename)) if error.filename else folder
        return f"{place}: the disk is full; make room; {resume}"
    if not str(error.filename or "").startswith(str(folder)):
        return None
    if error.errno in REFUSED:
        return f"{error.filename}: may not be written; allow it; {resume}"
    if error.errno == errno.ENOENT and not folder.exists():
        return f"{folder}: the run's folder was removed while the run was going on; start it again"
    return f"{error.filename}: {error.strerror}; {resume}"


def megabytes(count: float) -> str:
    """A number of bytes for people.

    >>> megabytes(2.5e9), megabytes(300)
    ('2,500 MB', '0.0 MB')
    """
    return f"{count / 1e6:,.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"
