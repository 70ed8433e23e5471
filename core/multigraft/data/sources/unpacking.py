"""Compressed files and archives of rows: unpacked into the machine's cache, and read there."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from multigraft.data.sources.arrow_cache import file_key
from multigraft.data.sources.kept_files import kept_files
from multigraft.errors import DataError, refused_as
from multigraft.system.file_endings import ZIP, ending_of

KIND = "unpacked"
GROWS = 4
"""About how many times as large text is that was packed; an archive says it."""
BLOCK = 2**24
SPARE = 2**30
"""Bytes that unpacking leaves free on the disk."""


@contextmanager
def unpacked(file: Path, endings: Collection[str]) -> Iterator[Mapping[str, Path]]:
    """The files of rows in ``file``, by the names they are told by; in an archive those with one of
    the ``endings``, in the order of their names. Raises DataError where it cannot be unpacked, or
    holds none."""
    archive = file.suffix.lower() == ZIP
    with refused_as(DataError, f"{file.name}: cannot be unpacked"):
        names = _members(file, endings) if archive else [file.stem]
        size = _archive_size(file) if archive else GROWS * file.stat().st_size
    make = partial(_unpack, file, names)
    with kept_files(KIND, file_key(file, ",".join(names)), size, make) as folder:
        held = [folder / _file_name(number, name) for number, name in enumerate(names)]
        told = [f"{file.name}/{name}" for name in names] if archive else [file.name]
        yield dict(zip(told, held, strict=True))


def _file_name(number: int, name: str) -> str:
    """A name of our own for a member's file, since an archive's may lead anywhere."""
    return f"{number}-{PurePosixPath(name).name}"


def _members(file: Path, endings: Collection[str]) -> list[str]:
    with zipfile.ZipFile(file) as archive:
        names = [each.filename for each in archive.infolist() if not each.is_dir()]
    shown = [name for name in names if not _is_hidden(name)]
    held = sorted(name for name in shown if ending_of(name) in endings)
    if not held:
        raise DataError(
            f"{file.name}: holds no file of rows ({', '.join(sorted(endings))}); unpack it, and "
            "name what is in it"
        )
    if len({ending_of(name) for name in held}) > 1:
        raise DataError(
            f"{file.name}: holds files of several kinds ({', '.join(held[:5])}); unpack it, and "
            "name those that hold rows"
        )
    return held


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts)


def _archive_size(file: Path) -> int:
    with zipfile.ZipFile(file) as archive:
        return sum(each.file_size for each in archive.infolist())


def _unpack(file: Path, names: list[str], folder: Path) -> None:
    with refused_as(DataError, f"{file.name}: cannot be unpacked"):
        for number, name in enumerate(names):
            target = folder / _file_name(number, name)
            with _opened(file, name) as source, target.open("wb") as unpacked_file:
                _copy(source, unpacked_file, file)


@contextmanager
def _opened(file: Path, name: str) -> Iterator[Any]:
    ending = file.suffix.lower()
    if ending == ZIP:
        with zipfile.ZipFile(file) as archive, archive.open(name) as source:
            yield source
    elif ending == ".zst":
        import pyarrow as pa

        with pa.input_stream(str(file), compression="zstd") as stream:
            yield stream
    else:
        opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[ending]
        with opener(file, "rb") as source:
            yield source


def _copy(source: Any, target: IO[bytes], file: Path) -> None:
    """Copy a stream; raises DataError before the disk is full."""
    while block := source.read(BLOCK):
        if shutil.disk_usage(Path(target.name).parent).free < SPARE:
            raise DataError(f"{file.name}: the disk has no room for what is in it")
        target.write(block)
