"""Columns: plain lists, Arrow arrays, chunks of both, or several as one; read by row or in
blocks."""

from __future__ import annotations

import io
import json
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal, TypeAlias, overload

import numpy as np
import pyarrow as pa

BLOCK = 1024


Form = Literal["json", "npy"]
"""How a value that is no plain one is written: as JSON text, or an array as a ``.npy`` file."""


@dataclass(frozen=True)
class Coded:
    """Values that Arrow has no type for, each written as its form says."""

    values: pa.Array
    form: Form = "json"

    def __len__(self) -> int:
        return len(self.values)

    def decoded(self, written: Any) -> Any:
        """A value as it was given. Raises ValueError for what is not of the form."""
        if written is None:
            return None
        if self.form == "json":
            return json.loads(written)
        return np.load(io.BytesIO(written), allow_pickle=False)


Piece: TypeAlias = pa.Array | pa.ChunkedArray | Coded | list[Any] | None
"""Consecutive values of one type, or plain ones; None: nothing in all of these rows."""


class Pieces:
    """A chunked column whose chunks need not be of one type: as a file is read."""

    def __init__(
        self,
        pieces: Sequence[Piece | Pieces],
        counts: Sequence[int],
        restore: tuple[Callable[..., Any], tuple[Any, ...]] | None = None,
    ) -> None:
        """``counts`` are the rows of each piece; ``restore`` makes the column from a pickle."""
        self._pieces = pieces
        self._counts = counts
        self._starts = [0, *accumulate(counts)]
        self._restore = restore

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def type(self) -> pa.DataType | None:
        """Arrow's type of all of it; None where it has several, or values of none."""
        found = {getattr(piece, "type", None) for piece in self._pieces if piece is not None}
        return next(iter(found)) if len(found) == 1 else None

    def __getitem__(self, row: int) -> Any:
        """The value of one row."""
        number = bisect_right(self._starts, row) - 1
        return cell(self._pieces[number], row - self._starts[number])

    def take(self, rows: np.ndarray) -> list[Any]:
        """The values of some rows, in their order."""
        where = np.searchsorted(self._starts, rows, side="right") - 1
        found: list[Any] = [None] * len(rows)
        for number in np.unique(where).tolist():
            mine = np.flatnonzero(where == number)
            values = take(self._pieces[number], rows[mine] - self._starts[number])
            for at, value in zip(mine.tolist(), values, strict=True):
                found[at] = value
        return found

    def __reduce__(self) -> Any:
        return self._restore or (Pieces, (self._pieces, self._counts))


@dataclass(frozen=True)
class Gathered:
    """Several columns as one: a mapping from a column's name to its cell, None where every cell is
    empty."""

    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, row: int) -> dict[str, Any] | None:
        """The cells of one row."""
        return _held({name: cell(values, row) for name, values in self.columns.items()})

    def take(self, rows: np.ndarray) -> list[Any]:
        """The cells of some rows, in their order."""
        cells = zip(*(take(values, rows) for values in self.columns.values()), strict=True)
        return [_held(dict(zip(self.columns, each, strict=True))) for each in cells]


def _held(cells: dict[str, Any]) -> dict[str, Any] | None:
    """The cells, where any holds something: neither nothing nor NaN, as a data frame writes it."""
    return cells if any(not _is_empty(value) for value in cells.values()) else None


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


Column: TypeAlias = pa.Array | pa.ChunkedArray | Pieces | Gathered | list[Any]


class Cells(Sequence[Any]):
    """Some values of a column as a sequence that is read in blocks and never held whole."""

    def __init__(self, column: Column, rows: np.ndarray) -> None:
        self._column = column
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Cells: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Cells(self._column, self._rows[index])
        return cell(self._column, int(self._rows[index]))

    def __iter__(self) -> Iterator[Any]:
        for start in range(0, len(self._rows), BLOCK):
            yield from take(self._column, self._rows[start : start + BLOCK])


def cell(column: Column | Piece, row: int) -> Any:
    """One value."""
    if column is None or isinstance(column, list | Pieces | Gathered):
        return None if column is None else column[row]
    if isinstance(column, Coded):
        return column.decoded(column.values[row].as_py())
    return column[row].as_py()


def take(column: Column | Piece, rows: np.ndarray) -> list[Any]:
    """The values of some rows, in their order."""
    if column is None:
        return [None] * len(rows)
    if isinstance(column, list):
        return [column[row] for row in rows.tolist()]
    if isinstance(column, Pieces | Gathered):
        return column.take(rows)
    if isinstance(column, Coded):
        return [column.decoded(written) for written in take(column.values, rows)]
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1 and (np.diff(rows) == 1).all():
        chosen = column.slice(int(rows[0]), len(rows))  # nothing is copied
    else:
        chosen = column.take(pa.array(rows))
    values: list[Any] = chosen.to_pylist()
    return values
