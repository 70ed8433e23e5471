"""Rows given in Python, as a Parquet file: what is trained on is a file of the run's folder."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from multigraft.data.sources.cells import SCALARS
from multigraft.data.sources.columns import Form
from multigraft.data.sources.containers import Block, Shape, blocks_of, is_rows
from multigraft.data.sources.marks import form_of, marked, with_folder
from multigraft.data.sources.several import Source
from multigraft.errors import DataError
from multigraft.system.files import new_file

TYPES = {str: pa.large_string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def write_rows_file(path: Path, rows: Any, shape: Shape, name: str = "data") -> None:
    """Write ``rows`` (see `blocks_of`) as Parquet, whole or not at all; ``name`` is for messages.

    A column of one plain type has that type, one of arrays holds each as ``.npy``, and any other
    (nested values, several types) JSON. Raises DataError with the row that no file can hold.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with new_file(path) as file:
            _write(file, blocks_of(rows, shape))
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


@contextmanager
def as_source(source: Any, shape: Shape) -> Iterator[Source]:
    """A source of rows as something to be read: of rows given in Python a file, for a while."""
    if not is_rows(source):
        if not isinstance(source, str | list | tuple):
            raise DataError(f"{source!r} names no file; give a path, a list of paths, or rows")
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="multigraft-") as folder:
        path = Path(folder) / "data.parquet"
        write_rows_file(path, source, shape)
        yield str(path)


def _write(file: Any, blocks: Iterable[Block]) -> None:
    from pyarrow import parquet

    blocks = iter(blocks)
    first = next(blocks, {})
    fields = [_field(name, values) for name, values in first.items()]
    schema = pa.schema(fields, metadata=with_folder(Path.cwd()))
    done = 0
    with parquet.ParquetWriter(file, schema) as writer:
        for block in chain([first], blocks):
            arrays = [_array(block[field.name], field, done) for field in schema]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            done += len(arrays[0]) if arrays else 0


def _field(name: str, values: list[Any] | pa.ChunkedArray) -> pa.Field:
    """How a column is written, by the values of its first block."""
    if not isinstance(values, list):
        return pa.field(name, values.type)
    kinds = {type(value) for value in values if value is not None}
    kind = next(iter(kinds)) if len(kinds) == 1 else None
    if kind in SCALARS:
        assert kind is not None
        return _json(name) if _is_odd(values, kind) else pa.field(name, TYPES[kind])
    if kind is bytes:
        return pa.field(name, pa.large_binary())
    if kind is np.ndarray:
        return pa.field(name, pa.large_binary(), metadata=marked("npy"))
    return _json(name)


def _json(name: str) -> pa.Field:
    return pa.field(name, pa.large_string(), metadata=marked("json"))


def _is_odd(values: list[Any], kind: type) -> bool:
    """Tell values that Arrow's type has no room for: half a surrogate pair, beyond 64 bits."""
    try:
        pa.array(values, TYPES[kind])
    except (UnicodeEncodeError, OverflowError, pa.ArrowInvalid):
        return True
    return False


def _array(values: list[Any] | pa.ChunkedArray, field: pa.Field, first: int) -> Any:
    """A column's values as its field has them; ``first`` rows stand before them."""
    if not isinstance(values, list):
        return values.cast(field.type)
    write = WRITERS[form_of(field)]
    kept = []
    for row, value in enumerate(values, first + 1):
        try:
            kept.append(None if value is None else write(value))
        except (TypeError, ValueError) as error:
            raise DataError(
                f"column {field.name!r}, row {row}: {type(value).__name__} cannot be kept in a "
                "file there, beside what the other rows have"
            ) from error
    try:
        return pa.array(kept, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError) as error:
        told = sorted({type(value).__name__ for value in values if value is not None})
        raise DataError(
            f"column {field.name!r}: rows {first + 1} to {first + len(values)} have "
            f"{' and '.join(told)}, and those before {field.type}; give all rows one type"
        ) from error


def _npy(value: Any) -> bytes:
    if not isinstance(value, np.ndarray):
        raise TypeError(type(value).__name__)
    content = io.BytesIO()
    np.save(content, value, allow_pickle=False)
    return content.getvalue()


def _same(value: Any) -> Any:
    return value


WRITERS: Mapping[Form | None, Callable[[Any], Any]] = {
    "npy": _npy,
    "json": json.dumps,
    None: _same,
}
"""How a value is written, by the form of its column."""
