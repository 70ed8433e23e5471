"""Tables: raw rows by number, with their places, cut from a source without copying it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from multigraft.data.cache.content import (
    Content,
    attached,
    canonical,
    named,
    named_file,
    raw_value,
)
from multigraft.data.cache.hashes import FileHashes
from multigraft.data.sources.columns import BLOCK, Cells, cell
from multigraft.data.sources.naming import HOLDS, Naming, in_recipe, written
from multigraft.errors import LISTED, DataError, RowError


@dataclass(frozen=True)
class _RawValues:
    """The raw values of a table, which can be gone through again."""

    table: Table

    def __iter__(self) -> Iterator[Any]:
        for index in range(len(self.table)):
            try:
                yield self.table.raw(index)
            except RowError:
                continue  # named, counted and judged by `Rows.audit`


@dataclass(frozen=True, eq=False)
class Table:
    """A table: some rows of a source, counted from 0 here and from 1 in `place`."""

    content: Content
    indices: np.ndarray
    """The rows of the source, in this table's order."""

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def name(self) -> str:
        """Name of the source, as a person calls it."""
        return self.content.name

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.content.columns)

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on how the source was read."""
        return self.content.notes

    def row(self, index: int) -> dict[str, Any]:
        """One row by our column names; None for a cell that is empty or cannot be decoded."""
        row = int(self.indices[index])
        return {name: cell(values, row) for name, values in self.content.columns.items()}

    def as_read(self, index: int) -> Mapping[str, Any]:
        """One row as the source has it, where a task refused to rewrite it; else as `row`."""
        return self.content.refused.get(int(self.indices[index])) or self.row(index)

    def target_row(self, index: int) -> dict[str, Any]:
        """One row as `Objective.encode` takes it: with the whole paths of `Content.files`.

        Raises RowError for a name that leads out of the data's folder.
        """
        row = self.row(index)
        for name in self.content.files:
            try:
                row[name] = named_file(self.content, row.get(name))
            except RowError as error:
                raise RowError(str(error), column=name) from error
        return row

    def files(self, name: str) -> list[Any]:
        """A column's cells as whole paths, where they name files; None where one leads out of the
        data's folder."""
        found: list[Any] = []
        for value in self.column(name):
            try:
                found.append(named_file(self.content, value))
            except RowError:
                found.append(None)
        return found

    def raw(self, index: int) -> Any:
        """The raw value of one row; a tuple where several of the modality's columns hold something.

        Raises RowError for a row that is known to be bad, or whose first raw column is empty.
        """
        row = int(self.indices[index])
        content = self.content
        return raw_value(content, row, [cell(content.columns[name], row) for name in content.raw])

    def raws(self) -> Iterable[Any]:
        """The raw values of all rows that have one, as `Modality.fit` wants them."""
        return _RawValues(self)

    def place(self, index: int) -> str:
        """Place of a row, as a person finds it: ``reviews.csv row 17``, ``photos/cat/3.jpg``."""
        file, row = self.where(index)
        if row is None:
            return file
        member, _ = self.content.member(self._origin(index))
        return f"{file} {member.kind} {row}"

    def where(self, index: int) -> tuple[str, int | None]:
        """The file of this row, and its number there from 1; None where the file is the row."""
        member, row = self.content.member(self._origin(index))
        return member.where(row)

    def _origin(self, index: int) -> int:
        """The number in the source of the row, or of that which it is a part of."""
        row = int(self.indices[index])
        return row if self.content.origins is None else int(self.content.origins[row])

    def called(self, column: str) -> str:
        """The name in the file of a column of ours."""
        return self.content.called.get(column, column)

    def problem(self, index: int) -> str | None:
        """Why this row is bad before any reader sees it; None where it is not."""
        return self.content.bad.get(int(self.indices[index]))

    def column(self, name: str) -> list[Any]:
        """All values of one column, or None without one. Raises DataError for an unknown one."""
        return list(self.cells(name))

    def cells(self, name: str) -> Cells:
        """The same values as `column`, read when they are asked for."""
        require(self, (name,))
        return Cells(self.content.columns[name], self.indices)

    def select(self, indices: Sequence[int] | np.ndarray) -> Table:
        """The rows at ``indices``, which keep their places."""
        return Table(self.content, self.indices[np.asarray(indices, dtype=np.int64)])

    @property
    def digests(self) -> np.ndarray:
        """Digests [rows] of 16 bytes, equal where raw values are; files count by their bytes."""
        return self.content.digests[self.indices]

    def digest(self, index: int) -> bytes:
        """One of `digests`."""
        found: bytes = self.content.digests[self.indices[index]].tobytes()
        return found

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all rows in their order, files by their bytes; the same on every machine."""
        total = hashlib.sha256(canonical(sorted(self.columns)))
        others = [name for name in sorted(self.columns) if name not in self.content.raw]
        for start in range(0, len(self), BLOCK):
            total.update(self.content.digests[self.indices[start : start + BLOCK]].tobytes())
        with FileHashes() as hashes:
            for name in others:
                hashed = named if name in self.content.files else attached
                for piece in _canonical_list(self.content, self.cells(name), hashes, hashed):
                    total.update(piece)
        return total.hexdigest()[:16]


def _canonical_list(
    content: Content,
    cells: Cells,
    hashes: FileHashes,
    hashed: Callable[[Content, Any, FileHashes], Any],
) -> Iterator[bytes]:
    """`canonical` of all cells, some at a time; files that they name count by their bytes."""
    values = (hashed(content, value, hashes) for value in cells)
    between = b"["
    while block := list(islice(values, BLOCK)):
        yield between + canonical(block)[1:-1]
        between = b", "
    yield b"]" if len(cells) else b"[]"


def whole(content: Content) -> Table:
    """Make the table of all rows of a source."""
    return Table(content, np.arange(len(content)))


def require(table: Table, names: Sequence[str], naming: Naming = in_recipe) -> None:
    """Raise DataError where columns are missing, naming what is there and how to map it."""
    missing = [name for name in names if name not in table.columns]
    if not missing:
        return
    lines = [
        f"{table.name}: column {name!r} is missing; {_suggest(name, table.columns, naming)}"
        for name in missing
    ]
    there = ", ".join(map(written, table.columns[:LISTED])) or "no columns"
    more = f" and {len(table.columns) - LISTED:,} more" if len(table.columns) > LISTED else ""
    raise DataError("\n".join([*lines, f"  it holds: {there}{more}"]))


def _suggest(name: str, columns: Sequence[str], naming: Naming) -> str:
    folded = {column.strip().casefold(): column for column in reversed(columns)}
    near = [folded[each] for each in get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)]
    asked = f"did you mean {near[0]!r}? " if near else ""
    return f"{asked}write {naming({name: near[0]}) if near else naming({name: HOLDS})}"
