"""Rows given in Python, as blocks of columns: lists, mappings, tables, data sets of PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import Any

import numpy as np
import pyarrow as pa

from multigraft.data.sources.columns import Coded
from multigraft.data.sources.values import picture, plain_value
from multigraft.errors import DataError

ROWS = 10_000
"""The most rows of a block."""
BYTES = 2**25
"""About the most bytes of a block's values."""
Block = Mapping[str, list[Any] | pa.ChunkedArray]
"""Columns of consecutive rows: plain values, or Arrow's."""


@dataclass(frozen=True)
class Shape:
    """What a row without names is: pairs are of the raw value and what is learned of it."""

    raw: str
    label: str | None = None
    media: bool = False
    """Whether the raw value is a picture or a sound, which may be an array."""


def is_rows(value: Any) -> bool:
    """Tell rows from what names a source of them: a path, or a list of paths."""
    if value is None or isinstance(value, str | PathLike | int | float):
        return False
    if isinstance(value, list | tuple):
        return not all(isinstance(each, str | PathLike) for each in value)
    return True


def blocks_of(rows: Any, shape: Shape) -> Iterator[Block]:
    """The columns of some rows at a time, in their order.

    ``rows`` are a list or an iterator of mappings or pairs, a mapping of columns, a pair of
    columns, an array, a table of pandas, polars, pyarrow (whatever has ``__arrow_c_stream__``), a
    set of `datasets`, or a data set of PyTorch. Raises DataError for anything else.
    """
    if _is_column(rows):
        yield from _of_columns({shape.raw: rows}, shape)
    elif _is_pandas(rows):
        names = [str(name) for name in rows.columns]
        if len(set(names)) < len(names):
            raise DataError(f"two columns have one name: {', '.join(names)}")
        yield from _of_columns({str(name): rows[name] for name in rows.columns}, shape)
    elif hasattr(rows, "with_format") and hasattr(rows, "features"):
        for table in rows.with_format("arrow").iter(batch_size=ROWS):
            yield _arrow_columns(table)
    elif hasattr(rows, "__arrow_c_stream__"):
        for batch in pa.table(rows).to_batches(max_chunksize=ROWS):
            yield _arrow_columns(pa.Table.from_batches([batch]))
    elif isinstance(rows, Mapping):
        yield from _of_columns({str(name): values for name, values in rows.items()}, shape)
    elif _is_pair_of_columns(rows):
        yield from _of_columns(dict(zip(_pair_names(shape), rows, strict=True)), shape)
    else:
        yield from _of_items(rows, shape)


def _is_pandas(rows: Any) -> bool:
    return type(rows).__module__.split(".")[0] == "pandas"


def _is_column(values: Any) -> bool:
    """Tell an array, a tensor, or a column of pandas, polars or pyarrow, from a table."""
    if isinstance(values, np.ndarray | pa.Array | pa.ChunkedArray) or hasattr(values, "detach"):
        return True
    return hasattr(values, "to_list") and hasattr(values, "dtype")


def _column(values: Any) -> Any:
    """A column as a list, an array or Arrow's; NaN of pandas stands for nothing."""
    if isinstance(values, pa.Array):
        return pa.chunked_array([values])
    if not _is_column(values) or not hasattr(values, "to_list"):
        return values
    if not _is_pandas(values):
        return values.to_list()
    if values.dtype == object:
        return [None if none else each for none, each in zip(values.isna(), values, strict=True)]
    return pa.chunked_array([pa.Array.from_pandas(values)])


def _arrow_columns(table: pa.Table) -> Block:
    """An Arrow table's columns under names of classes, in types that a file can hold."""
    from multigraft.data.sources.formats import columns_of

    return {name: _arrow_cells(values) for name, values in columns_of(table).items()}


def _arrow_cells(values: Any) -> list[Any] | pa.ChunkedArray:
    if isinstance(values, Coded):
        return [values.decoded(each) for each in values.values.to_pylist()]
    view = isinstance(values, pa.ChunkedArray) and pa.types.is_string_view(values.type)
    return values.cast(pa.large_string()) if view else values


def _is_pair_of_columns(rows: Any) -> bool:
    """Tell ``(X, y)`` from anything else: two columns of the same length."""
    if not isinstance(rows, tuple) or len(rows) != 2:
        return False
    return all(hasattr(each, "__len__") and not isinstance(each, str | Mapping) for each in rows)


def _pair_names(shape: Shape) -> tuple[str, str]:
    if shape.label is None:
        raise DataError(
            "pairs of a value and a label were given, and this task learns of no label; give the "
            f"values alone, as {{{shape.raw!r}: values}}"
        )
    return shape.raw, shape.label


def _of_columns(given: Mapping[str, Any], shape: Shape) -> Iterator[Block]:
    columns = {name: _column(values) for name, values in given.items()}
    lengths = {name: _length(name, values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} {count}" for name, count in lengths.items())
        raise DataError(f"columns differ in their number of rows: {told}")
    total = next(iter(lengths.values()), 0)
    step = _rows_of_block(columns)
    for start in range(0, total, step):
        yield {
            name: _cells(name, values, slice(start, start + step), shape)
            for name, values in columns.items()
        }


def _length(name: str, values: Any) -> int:
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise DataError(
            f"column {name!r} is {type(values).__name__}; a column is a list or an array with a "
            "value for each row"
        )
    return len(values)


def _rows_of_block(columns: Mapping[str, Any]) -> int:
    """How many rows a block may have, by the bytes of arrays' rows."""
    sizes = [_nbytes(values[0]) for values in columns.values() if len(values)]
    return max(1, min(ROWS, BYTES // max(1, sum(sizes))))


def _nbytes(value: Any) -> int:
    return int(getattr(value, "nbytes", 0) or 0)


def _cells(name: str, values: Any, rows: slice, shape: Shape) -> list[Any] | pa.ChunkedArray:
    if isinstance(values, pa.ChunkedArray):
        return values.slice(rows.start, rows.stop - rows.start)
    return [_cell(name, value, shape) for value in values[rows]]


def _cell(name: str, value: Any, shape: Shape) -> Any:
    if shape.media and name == shape.raw:
        value = picture(value)
    return plain_value(value)


def _of_items(rows: Any, shape: Shape) -> Iterator[Block]:
    """Rows one by one: mappings, pairs, or values alone; of a data set of PyTorch by number."""
    items = _items(rows)
    classes = _classes(rows)
    names: dict[str, None] = {}
    if isinstance(rows, list):
        names = dict.fromkeys(str(name) for row in rows if isinstance(row, Mapping) for name in row)
    number = 0
    while block := _next_rows(items, shape, classes, number):
        found = dict.fromkeys(name for row in block for name in row)
        if number and (new := [name for name in found if name not in names]):
            raise DataError(
                f"a row behind the first {number:,} has a column {new[0]!r} that those lack; give "
                "it to all of them, as None"
            )
        names = names or found
        yield {name: [row.get(name) for row in block] for name in names}
        number += len(block)


def _items(rows: Any) -> Iterator[Any]:
    if isinstance(rows, Iterable) and not (
        hasattr(rows, "__getitem__") and hasattr(rows, "__len__")
    ):
        return iter(rows)
    if isinstance(rows, Sequence):
        return iter(rows)
    if hasattr(rows, "__getitem__") and hasattr(rows, "__len__"):
        return (rows[number] for number in range(len(rows)))
    raise DataError(
        f"{type(rows).__name__} holds no rows; give a file, a list of mappings, a mapping of "
        "columns, a table of pandas, polars or pyarrow, a set of datasets, or a data set of PyTorch"
    )


def _classes(rows: Any) -> Sequence[str]:
    """The names of classes that a data set of torchvision numbers; none of others."""
    found = getattr(rows, "classes", ())
    named = isinstance(found, list | tuple) and all(isinstance(each, str) for each in found)
    return tuple(found) if named else ()


def _next_rows(
    items: Iterator[Any], shape: Shape, classes: Sequence[str], number: int
) -> list[dict[str, Any]]:
    block: list[dict[str, Any]] = []
    size = 0
    for item in islice(items, ROWS):
        row = _row(item, shape, classes, number + len(block) + 1)
        block.append(row)
        size += sum(map(_weight, row.values()))
        if size >= BYTES:
            break
    return block


def _weight(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes) else _nbytes(value)


def _row(item: Any, shape: Shape, classes: Sequence[str], number: int) -> dict[str, Any]:
    if isinstance(item, Mapping):
        return {str(name): _cell(str(name), value, shape) for name, value in item.items()}
    if not isinstance(item, tuple):
        return {shape.raw: _cell(shape.raw, item, shape)}
    if len(item) != 2:
        raise DataError(
            f"row {number} is {len(item)} values without names; give pairs of a value and a label, "
            "or mappings"
        )
    raw, label = _pair_names(shape)
    told = plain_value(item[1])
    if classes and isinstance(told, int) and 0 <= told < len(classes):
        told = classes[told]
    return {raw: _cell(raw, item[0], shape), label: told}
