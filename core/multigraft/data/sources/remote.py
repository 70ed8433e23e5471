"""Remote files: what a recipe names by its URL is fetched through fsspec, where it is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from multigraft.contracts.readers import fingerprint
from multigraft.data.sources.kept_files import kept_files
from multigraft.errors import DataError, refused_as
from multigraft.system.libraries import offline

KIND = "fetched"
URL = re.compile(r"[a-z][a-z0-9+.-]+://")
HERE = ("memory://", "file://", "local://")
"""What asks no other machine."""


def is_remote(path: str) -> bool:
    """Tell a URL from a path.

    >>> is_remote("s3://bucket/rows.csv"), is_remote("C:/rows.csv"), is_remote("hub:owner/name")
    (True, False, False)
    """
    return URL.match(path) is not None


@contextmanager
def fetched(url: str) -> Iterator[list[Path]]:
    """The files at a URL, which may be a pattern, as local copies; fetched again once they changed.

    Raises DataError where fsspec, or what it needs for such a URL, is not installed, where nothing
    can be read there, or is to be fetched at all (`offline`).
    """
    if (said := offline()) and not url.startswith(HERE):
        raise DataError(f"{url}: is not fetched, since {said} is set; name a file that is here")
    try:
        import fsspec
    except ModuleNotFoundError as error:
        raise DataError(
            f"{url}: files by URL are read through fsspec, which is not installed: pip install "
            "fsspec, or fetch the file and name it here"
        ) from error
    try:
        with refused_as(DataError, f"{url}: cannot be read"):
            system, _, paths = fsspec.get_fs_token_paths(url)
            told = {path: str(system.ukey(path)) for path in paths}
            size = sum(int(system.size(path) or 0) for path in paths)
    except DataError as error:
        raise DataError(
            f"{error}; some kinds of URL need a package of their own for fsspec"
        ) from error
    if not paths:
        raise DataError(f"{url}: matches no file")
    with kept_files(
        KIND, fingerprint({"url": url, "files": told}), size, partial(_fetch, url, system, paths)
    ) as folder:
        yield [_place(folder, number, path) for number, path in enumerate(paths)]


def _place(folder: Path, number: int, path: str) -> Path:
    """Each in a folder of its own, so that it keeps its name."""
    return folder / str(number) / (PurePosixPath(path).name or "rows")


def _fetch(url: str, system: Any, paths: list[str], folder: Path) -> None:
    with refused_as(DataError, f"{url}: cannot be read"):
        for number, path in enumerate(paths):
            target = _place(folder, number, path)
            target.parent.mkdir(parents=True)
            system.get_file(path, str(target))
