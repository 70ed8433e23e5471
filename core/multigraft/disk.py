"""What a disk may refuse, said so that a person knows what to do."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from multigraft.errors import RunError

FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
RESUME = "what was saved before is whole; then go on with: multigraft resume {folder}"


def check_space(folder: Path, needed: int) -> None:
    """Raise RunError where the disk under ``folder`` has fewer than ``needed`` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RunError(
            f"{folder}: the disk has {megabytes(free)} free, and the checkpoints and the model of this run "
            f"need about {megabytes(needed)}; make room, name another output, or lower training.keep"
        )


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
    resume = RESUME.format(folder=folder)
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
