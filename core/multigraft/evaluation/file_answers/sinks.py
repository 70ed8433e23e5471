"""Sinks: rows written one part after another as JSON lines, CSV or Parquet, whole or not at all."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from multigraft.evaluation.file_answers.flat_answers import as_text, flat
from multigraft.system.files import new_file
from multigraft.system.json_numbers import finite

Part = list[dict[str, Any]]
"""Consecutive rows; a column that a row lacks is empty in it."""
Types = Mapping[str, Any]
"""Columns in their order -> a type of Python or of Arrow; None: nothing is in it."""


def write_parts(path: Path, parts: Iterable[Part], types: Types) -> None:
    """Write all rows to ``path`` by its ending. In flat memory: a part at a time."""
    with new_file(path) as file:
        WRITERS[path.suffix.lower()](file, parts, types)


def _write_lines(file: BinaryIO, parts: Iterable[Part], types: Types) -> None:
    for part in parts:
        for row in part:
            told = finite({name: row.get(name) for name in types})
            line = json.dumps(told, ensure_ascii=False, default=str)
            file.write(f"{line}\n".encode("utf-8", "backslashreplace"))


def _write_csv(file: BinaryIO, parts: Iterable[Part], types: Types) -> None:
    file.write(_csv([list(types)]))
    for part in parts:
        file.write(_csv([flat(row.get(name)) for name in types] for row in part))


def _csv(rows: Iterable[list[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


def _write_parquet(file: BinaryIO, parts: Iterable[Part], types: Types) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    known = {str: pa.large_string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    fields = {name: known.get(kind, kind) or pa.large_string() for name, kind in types.items()}
    schema = pa.schema(list(fields.items()))
    with parquet.ParquetWriter(file, schema) as writer:
        for part in parts:
            columns = [
                pa.array([_typed(row.get(name), kind) for row in part], kind)
                for name, kind in fields.items()
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _typed(value: Any, kind: Any) -> Any:
    import pyarrow as pa

    if value is None or not (pa.types.is_large_string(kind) or pa.types.is_string(kind)):
        return value
    return as_text(value).encode("utf-8", "backslashreplace").decode()


WRITERS: Mapping[str, Callable[[BinaryIO, Iterable[Part], Types], None]] = {
    ".jsonl": _write_lines,
    ".csv": _write_csv,
    ".parquet": _write_parquet,
}
