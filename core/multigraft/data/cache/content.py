"""Source contents: a source's columns, the raw value of each row, and each value's digest."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.data.cache import digests
from multigraft.data.cache.hashes import FileHashes
from multigraft.data.sources.columns import BLOCK, Column, take
from multigraft.errors import RowError

LONGEST_NAME = 1024
FILE_NAME = re.compile(r"\w\.\w{1,12}\Z")
"""How a text ends that may be a file's name."""
NOTHING = bytes(16)
"""The digest of a row that has no raw value."""


@dataclass(frozen=True)
class RawColumns:
    """The columns that hold the raw value of one branch; the first one is required."""

    names: tuple[str, ...]
    suffixes: tuple[str, ...] = ()
    """The endings by which a further one is known to hold file names; without any none does."""


@dataclass(frozen=True)
class Member:
    """One of several files that were joined: its name, and how its rows are called."""

    name: str
    rows: int
    kind: str = "row"
    paths: Sequence[str] | None = None

    def where(self, row: int) -> tuple[str, int | None]:
        """The file of a row, counted from 0, and its number there; None where the file is it."""
        if self.paths is not None:
            return f"{self.name}/{self.paths[row]}", None
        return self.name, row + 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """Content of one source; every table cut from it shares this."""

    name: str
    """How a person calls the source: ``reviews.csv``."""
    columns: Mapping[str, Column]
    raw: tuple[str, ...]
    """The columns that hold the raw value; the first one is required."""
    bad: Mapping[int, str] = field(default_factory=dict)
    """Rows that are known to be unreadable before any reader sees them, and why."""
    refused: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    """Of the bad rows, those that a task refused to rewrite, as they were read."""
    origins: np.ndarray | None = None
    """Of rows that are parts of others: the number of the row that each is of."""
    paths: Sequence[str] | None = None
    """Of a folder: each row's file, relative to it."""
    folder: Path | None = None
    """Where relative file names start; None where raw values are no files."""
    suffixes: tuple[str, ...] = ()
    """The endings by which a further raw column is known to hold file names."""
    branches: Mapping[str, RawColumns] = field(default_factory=dict)
    """The raw columns by branch, where a raw value is a mapping from branch to value."""
    base: Path | None = None
    """Where a file lies that any other column names; None where no cell names one."""
    files: tuple[str, ...] = ()
    """The columns besides the raw ones whose cells are names of files."""
    notes: tuple[str, ...] = ()
    """What a person should know about how it was read."""
    called: Mapping[str, str] = field(default_factory=dict)
    """Our names of columns -> the file's, where they differ."""
    gathered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The columns of ours that several of the source make up -> those."""
    kind: str = "row"
    """What one row is called in its place."""
    members: Sequence[Member] = ()
    """The files in it, in the order of their rows, where several were joined."""
    key: str | None = None
    """What names the raw columns in the cache, where they are kept there."""

    def member(self, row: int) -> tuple[Member, int]:
        """The file that a row stands in, and its number there, both counted from 0."""
        if not self.members:
            return Member(self.name, len(self), self.kind, self.paths), row
        ends = np.cumsum([member.rows for member in self.members])
        found = int(np.searchsorted(ends, row, side="right"))
        return self.members[found], row - int(ends[found] - self.members[found].rows)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    @cached_property
    def digests(self) -> np.ndarray:
        """Digest raw values: [rows] of 16 bytes. A file counts by its bytes, not its name."""
        if self.key is None or self.folder is not None:
            return _digests(self)
        return digests.remembered(self.key, lambda: _digests(self))


def raw_value(content: Content, row: int, cells: Sequence[Any]) -> Any:
    """Take the raw value from the cells of the raw columns. Raises RowError where there is none."""
    if row in content.bad:
        raise RowError(content.bad[row])
    named = zip(content.raw, cells, strict=True)
    values = {name: _value(content, name, cell) for name, cell in named}
    if content.branches:
        joined = {
            branch: _joined([values.get(name) for name in own.names])
            for branch, own in content.branches.items()
        }
        raw: Any = {branch: value for branch, value in joined.items() if value is not None}
    else:
        raw = _joined(list(values.values()))
    if raw is None or (content.branches and not raw):
        names = [own.names[0] for own in content.branches.values()] or content.raw[:1]
        said = [repr(each) for name in names for each in _called(content, name)]
        told = f"columns {', '.join(said)} are" if said[1:] else f"column {said[0]} is"
        first, *_ = content.gathered.get(names[0], names)
        raise RowError(f"{told} empty", column=first)
    return raw


def _called(content: Content, name: str) -> tuple[str, ...]:
    """What a raw column is called in the source, where it may be several."""
    each = content.gathered.get(name, (name,))
    return tuple(content.called.get(one, one) for one in each)


def _joined(values: list[Any]) -> Any:
    """The value of several columns: a tuple where more than one holds something, None where the
    first is empty."""
    if values[0] is None:
        return None
    while values[-1] is None:
        values.pop()
    return tuple(values) if len(values) > 1 else values[0]


def _value(content: Content, name: str, value: Any) -> Any:
    """A cell as a reader takes it: bytes, a whole file name, or the value itself."""
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:  # how `datasets` stores media
        value = value["path"] if value["bytes"] is None else value["bytes"]
    if content.folder is not None and names_file(content, name, value):
        return _resolve(content.folder, value)
    return value


def names_file(content: Content, name: str, value: Any) -> bool:
    """Tell whether a cell of a raw column is the name of a file."""
    if content.folder is None or not isinstance(value, str):
        return False
    own = next((each for each in content.branches.values() if name in each.names), None)
    if own is None:
        return name == content.raw[0] or value.lower().endswith(content.suffixes)
    named = name == own.names[0] or value.lower().endswith(own.suffixes)
    return bool(own.suffixes) and named


def _resolve(folder: Path, name: str) -> str:
    path = Path(name)
    if not path.is_absolute() and ".." in path.parts:
        raise RowError(f"{name!r} leaves the data's folder; write it as an absolute path")
    return str(folder / path)


def named_file(content: Content, value: Any) -> Any:
    """A cell of `Content.files` as a whole path, or as bytes where the file stands in the cell.

    Raises RowError for a name that leads out of the data's folder.
    """
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:  # how `datasets` stores media
        value = value["path"] if value["bytes"] is None else value["bytes"]
    if content.base is None or not isinstance(value, str):
        return value
    return _resolve(content.base, value)


def _digests(content: Content) -> np.ndarray:
    found = np.empty(len(content), "V16")
    with FileHashes() as hashes:
        for row, cells in enumerate(_raw_cells(content)):
            found[row] = _digest(content, row, cells, hashes)
    return found


def _raw_cells(content: Content) -> Iterator[tuple[Any, ...]]:
    """The cells of the raw columns, row by row, read in blocks and never all at once."""
    for start in range(0, len(content), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(content)))
        yield from zip(*(take(content.columns[name], rows) for name in content.raw), strict=True)


def _digest(content: Content, row: int, cells: Sequence[Any], hashes: FileHashes) -> bytes:
    try:
        raw = raw_value(content, row, cells)
    except RowError:
        return NOTHING
    if content.branches:
        parts: Any = [
            [branch, _parts(content, content.branches[branch].names, value, hashes)]
            for branch, value in raw.items()
        ]
    else:
        parts = _parts(content, content.raw, raw, hashes)
    return hashlib.blake2b(canonical(parts), digest_size=16).digest()


def _parts(content: Content, names: Sequence[str], raw: Any, hashes: FileHashes) -> list[Any]:
    """What a raw value of these columns counts by."""
    values = raw if isinstance(raw, tuple) else (raw,)
    return [
        hashes.digest(value)
        if names_file(content, name, value)
        else _beside(content, value, hashes)
        for name, value in zip(names, values, strict=False)
    ]


def _beside(content: Content, value: Any, hashes: FileHashes) -> Any:
    """A raw value that names no file by its ending: a text, or maybe a file beside."""
    return value if content.folder is None else attached(content, value, hashes)


def attached(content: Content, value: Any, hashes: FileHashes) -> Any:
    """Replace the name of a file that is there by a hash of its bytes, at any depth of a cell.

    Masks, alignments and whatever else a row names count by what they are, as the raw value does.
    """
    if isinstance(value, str):
        path = _attached_file(content, value)
        return value if path is None else hashes.digest(path)
    if isinstance(value, list):
        return [attached(content, each, hashes) for each in value]
    if isinstance(value, dict):
        return {name: attached(content, each, hashes) for name, each in value.items()}
    return value


def named(content: Content, value: Any, hashes: FileHashes) -> Any:
    """The same for a cell of `Content.files`, whatever its file is called."""
    try:
        path = named_file(content, value)
    except RowError:
        return value
    there = isinstance(path, str) and os.path.isfile(path)  # noqa: PTH113 (asked of every cell)
    return hashes.digest(path) if there else value


def _attached_file(content: Content, value: str) -> str | None:
    """The file that a cell names; None for other texts, or where there is no such file."""
    if content.base is None or len(value) > LONGEST_NAME or not FILE_NAME.search(value):
        return None
    path = os.path.join(content.base, value)  # noqa: PTH118 (asked of every cell)
    return path if os.path.isfile(path) else None  # noqa: PTH113


def canonical(values: Sequence[Any]) -> bytes:
    """Write values as JSON that is the same everywhere; bytes and arrays count by their hash."""
    return CANONICAL.encode(values).encode()


def _plain(value: Any) -> str:
    if isinstance(value, np.ndarray):
        told = f"{value.dtype.str} {value.shape} ".encode()
        return hashlib.sha256(told + np.ascontiguousarray(value).tobytes()).hexdigest()
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)


CANONICAL = json.JSONEncoder(default=_plain, sort_keys=True)
