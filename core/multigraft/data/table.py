"""A table: raw rows by number, with their places, cut from a source without copying it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

from multigraft.errors import DataError, RowError

BLOCK = 1024
NOTHING = bytes(16)
"""The digest of a row that has no raw value."""
Column: TypeAlias = pa.ChunkedArray | list[Any]


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """What one source holds; every table cut from it shares this."""

    name: str
    """How a person calls the source: ``reviews.csv``."""
    columns: Mapping[str, Column]
    raw: tuple[str, ...]
    """The columns that hold the raw value; the first one is required."""
    bad: Mapping[int, str] = field(default_factory=dict)
    """Rows that are known to be unreadable before any reader sees them, and why."""
    paths: Sequence[str] | None = None
    """Of a folder: each row's file, relative to it."""
    folder: Path | None = None
    """Where relative file names start; None where raw values are no files."""
    suffixes: tuple[str, ...] = ()
    """The endings by which a further raw column is known to hold file names."""
    notes: tuple[str, ...] = ()
    """What a person should know about how it was read."""
    kind: str = "row"
    """What one row is called in its place."""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    @cached_property
    def digests(self) -> np.ndarray:
        """[rows] of 16 bytes: what each raw value is. A file counts by all its bytes, whatever its name."""
        digests = [_digest(self, row, cells) for row, cells in enumerate(_raw_cells(self))]
        return np.array(digests, dtype="V16")


@dataclass(frozen=True, eq=False)
class Table:
    """Some rows of a source. Rows are counted from 0 here and from 1 in `place`."""

    content: Content
    indices: np.ndarray
    """The rows of the source, in this table's order."""

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def name(self) -> str:
        """How a person calls the source."""
        return self.content.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.content.columns)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about how the source was read."""
        return self.content.notes

    def row(self, index: int) -> dict[str, Any]:
        """One row, by our column names. A cell that holds nothing, or cannot be decoded, is None."""
        row = int(self.indices[index])
        return {name: _cell(values, row) for name, values in self.content.columns.items()}

    def raw(self, index: int) -> Any:
        """The raw value of one row; a tuple where several of the modality's columns hold something.

        Raises RowError for a row that is known to be bad, or whose first raw column is empty.
        """
        row = int(self.indices[index])
        return _raw(self.content, row, [_cell(self.content.columns[name], row) for name in self.content.raw])

    def raws(self) -> Iterator[Any]:
        """The raw values of all rows that have one, as `Modality.fit` wants them."""
        for index in range(len(self)):
            try:
                yield self.raw(index)
            except RowError:
                continue  # named, counted and judged by `Rows.audit`

    def place(self, index: int) -> str:
        """Where a person finds this row: ``reviews.csv row 17``, ``photos/cat/3.jpg``."""
        row = int(self.indices[index])
        if self.content.paths is not None:
            return f"{self.name}/{self.content.paths[row]}"
        return f"{self.name} {self.content.kind} {row + 1}"

    def problem(self, index: int) -> str | None:
        """Why this row is known to be bad before any reader sees it; None where it is not."""
        return self.content.bad.get(int(self.indices[index]))

    def column(self, name: str) -> list[Any]:
        """All values of one column; None where there is none. Raises DataError for an unknown one."""
        require(self, (name,))
        values = self.content.columns[name]
        if isinstance(values, list):
            return [values[row] for row in self.indices.tolist()]
        taken: list[Any] = values.take(pa.array(self.indices)).to_pylist()
        return taken

    def select(self, indices: Sequence[int] | np.ndarray) -> Table:
        """The rows at ``indices``, which keep their places."""
        return Table(self.content, self.indices[np.asarray(indices, dtype=np.int64)])

    @property
    def digests(self) -> np.ndarray:
        """[rows] of 16 bytes, equal where raw values are equal; files are compared by their bytes."""
        return self.content.digests[self.indices]

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all rows in their order, files by their bytes; the same on every machine."""
        total = hashlib.sha256(_canonical(sorted(self.columns)))
        others = [name for name in sorted(self.columns) if name not in self.content.raw]
        total.update(self.digests.tobytes())
        for name in others:
            total.update(_canonical(self.column(name)))
        return total.hexdigest()[:16]


def whole(content: Content) -> Table:
    """The table of all rows of a source."""
    return Table(content, np.arange(len(content)))


def require(table: Table, names: Sequence[str]) -> None:
    """Raise DataError where columns are missing, naming what is there and how to map it."""
    missing = [name for name in names if name not in table.columns]
    if not missing:
        return
    lines = [f"{table.name}: column {name!r} is missing; {_suggest(name, table.columns)}" for name in missing]
    there = ", ".join(table.columns) or "no columns"
    raise DataError("\n".join([*lines, f"  it holds: {there}"]))


def _suggest(name: str, columns: Sequence[str]) -> str:
    near = get_close_matches(name, columns, n=1, cutoff=0.7)
    asked = f"did you mean {near[0]!r}? " if near else ""
    return f"{asked}write data.columns: {{{name}: {near[0] if near else '<the column that holds it>'}}}"


def _cell(column: Column, row: int) -> Any:
    return column[row] if isinstance(column, list) else column[row].as_py()


def _raw_cells(content: Content) -> Iterator[tuple[Any, ...]]:
    """The cells of the raw columns, row by row: read in blocks, which is quicker, and never all at once."""
    for start in range(0, len(content), BLOCK):
        blocks = [content.columns[name][start : start + BLOCK] for name in content.raw]
        yield from zip(
            *(each if isinstance(each, list) else each.to_pylist() for each in blocks), strict=True
        )


def _raw(content: Content, row: int, cells: Sequence[Any]) -> Any:
    """The raw value in the cells of the raw columns."""
    if row in content.bad:
        raise RowError(content.bad[row])
    values = [_value(content, name, cell) for name, cell in zip(content.raw, cells, strict=True)]
    if values[0] is None:
        raise RowError(f"column {content.raw[0]!r} is empty")
    while values[-1] is None:
        values.pop()
    return tuple(values) if len(values) > 1 else values[0]


def _value(content: Content, name: str, value: Any) -> Any:
    """A cell as a reader takes it: bytes, a whole file name, or the value itself."""
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:  # how `datasets` stores media
        value = value["path"] if value["bytes"] is None else value["bytes"]
    if content.folder is not None and _names_file(content, name, value):
        return _resolve(content.folder, value)
    return value


def _names_file(content: Content, name: str, value: Any) -> bool:
    if content.folder is None or not isinstance(value, str):
        return False
    return name == content.raw[0] or value.lower().endswith(content.suffixes)


def _resolve(folder: Path, name: str) -> str:
    path = Path(name)
    if not path.is_absolute() and ".." in path.parts:
        raise RowError(f"{name!r} leaves the data's folder; write it as an absolute path")
    return str(folder / path)


def _digest(content: Content, row: int, cells: Sequence[Any]) -> bytes:
    try:
        raw = _raw(content, row, cells)
    except RowError:
        return NOTHING
    values = raw if isinstance(raw, tuple) else (raw,)
    parts = [
        _file_digest(value) if _names_file(content, name, value) else value
        for name, value in zip(content.raw, values, strict=False)
    ]
    return hashlib.blake2b(_canonical(parts), digest_size=16).digest()


def _file_digest(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: no name a disk could hold
        return f"unreadable: {Path(path).name}"  # the reader will say why, with the place


def _canonical(values: Sequence[Any]) -> bytes:
    return CANONICAL.encode(values).encode()


def _plain(value: Any) -> str:
    return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else str(value)


CANONICAL = json.JSONEncoder(default=_plain, sort_keys=True)
