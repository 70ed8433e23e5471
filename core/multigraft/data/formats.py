"""CSV, JSON, Parquet and hub data as columns; what is wrong with a file is said with its line.

CSV and JSON are parsed here by the standard library: it gives exact lines, keeps each row's own types,
and lets one row with broken bytes be named instead of ending the load.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from multigraft.data.table import Column
from multigraft.errors import DataError

SHOWN = 20
CHUNK = 50_000
SCALARS = (str, int, float, bool)


@dataclass(frozen=True)
class Parsed:
    """A file's columns by its own names, and the rows in it that cannot be decoded."""

    columns: dict[str, Column]
    bad: dict[int, str] = field(default_factory=dict)


def read_csv(path: Path) -> Parsed:
    """Read a CSV file with a header, separated by whichever of ``, ; tab`` its header holds most.

    CSV knows no types: every cell is text, an empty one None. Raises DataError with the lines of records
    that have more or fewer cells than the header.
    """
    with _text(path) as file, _long_fields():
        header = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=header.count)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        records = _records(reader, path)
        names = next(records, [])
        if not names:
            raise DataError(f"{path.name}: is empty; a header line and rows are needed")
        _check_names(path, names)
        return _csv_columns(names, records)


def read_json(path: Path) -> Parsed:
    """Read JSON lines, or one list of objects. Raises DataError with the lines that are not JSON objects."""
    with _text(path) as file:
        text = file.read(1)
        while text.isspace():
            text = file.read(1)
        file.seek(0)
        rows = _json_list(file, path) if text == "[" else _json_lines(file, path)
    if not rows:
        raise DataError(f"{path.name}: is empty; one JSON object a line is needed, or a list of them")
    names = list(dict.fromkeys(name for row in rows for name in row))
    _check_names(path, names)
    bad: dict[int, str] = {}
    return Parsed({name: column([row.get(name) for row in rows], name, bad) for name in names}, bad)


def read_parquet(path: Path) -> Parsed:
    """Read a Parquet file. Raises DataError where it is none."""
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, partitioning=None)
        table.validate(full=True)  # text that is not UTF-8 would else be found in the middle of training
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: is not a sound Parquet file: {_first_line(error)}") from error
    return from_arrow(table)


def read_hub(name: str, part: str) -> Parsed:
    """Read the split ``part`` of ``owner/name[:subset]`` from the hub, or offline from its cache."""
    import datasets

    owner_name, _, subset = name.partition(":")
    try:
        with _quiet():
            found = datasets.load_dataset(owner_name, subset or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"hub:{name}: cannot be loaded: {_first_line(error)}\n"
            "  without a network, load it once where there is one, or give a file: data.train: rows.parquet"
        ) from error
    if part not in found:
        raise DataError(f"hub:{name}: has no split {part!r}; it has: {', '.join(found)}")
    return from_arrow(found[part].with_format("arrow")[:])


def from_arrow(table: pa.Table) -> Parsed:
    """The columns of an Arrow table; classes that `datasets` stores as numbers get their names back."""
    features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    kinds = features.get("info", {}).get("features", {})
    columns: dict[str, Column] = {}
    for name in table.column_names:
        names = kinds.get(name, {}).get("names") if isinstance(kinds.get(name), dict) else None
        columns[name] = _class_names(table[name], names) if names else table[name]
    return Parsed(columns)


def column(values: list[Any], name: str, bad: dict[int, str], first: int = 0) -> Column:
    """Values as an Arrow column where all are of one plain type, else as they are.

    Text that cannot be UTF-8 becomes None, and its row (counted from ``first``) goes to ``bad``.
    """
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and kinds <= set(SCALARS):
        try:
            return pa.chunked_array([pa.array(values, pa.large_string() if kinds == {str} else None)])
        except UnicodeEncodeError:
            return column(_without_broken(values, name, bad, first), name, bad, first)
        except (OverflowError, pa.ArrowInvalid):
            return values  # a whole number beyond 64 bits
    return _without_broken(values, name, bad, first)


def _without_broken(values: list[Any], name: str, bad: dict[int, str], first: int) -> list[Any]:
    kept = []
    for row, value in enumerate(values, start=first):
        broken = _broken(value)
        if broken is not None:
            bad.setdefault(row, f"column {name!r} is not UTF-8: {broken}")
        kept.append(value if broken is None else None)
    return kept


def _broken(value: Any) -> str | None:
    """What in a value is not UTF-8, where something is."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            code = ord(value[error.start])
            what = f"byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"half a pair U+{code:04X}"
            return f"{what} after {value[max(0, error.start - 20) : error.start]!r}"
        return None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for item in inner if (found := _broken(item))), None)


@contextmanager
def _text(path: Path) -> Iterator[IO[str]]:
    """A file as text in which a byte that is not UTF-8 is kept as one lone surrogate (`_broken` finds it)."""
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{path.name}: is UTF-16; save it as UTF-8")
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        yield text


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let a CSV cell be longer than 128 KiB; the limit is the csv module's own, so it is put back."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _records(reader: Any, path: Path) -> Iterator[list[str]]:
    """The records of a CSV file. At its end raises DataError where some have the wrong number of cells."""
    width = 0
    problems: list[str] = []
    start = 1
    try:
        for record in filter(None, reader):  # an empty line is no record
            width = width or len(record)
            if len(record) == width:
                yield record
            else:
                problems.append(f"line {start}: {len(record)} cells where the header has {width}")
            start = reader.line_num + 1
    except csv.Error as error:
        problems.append(f'line {start}: {error}; a cell that holds quotes is written as "say ""yes"""')
    _refuse(path, problems)


def _csv_columns(names: Sequence[str], records: Iterator[list[str]]) -> Parsed:
    bad: dict[int, str] = {}
    chunks: list[list[Column]] = [[] for _ in names]
    first = 0
    while block := list(islice(records, CHUNK)):
        for name, cells, done in zip(names, zip(*block, strict=True), chunks, strict=True):
            done.append(column([cell or None for cell in cells], name, bad, first))
        first += len(block)
    columns = {name: _joined(done) for name, done in zip(names, chunks, strict=True)}
    return Parsed(columns, bad)


def _joined(chunks: Sequence[pa.ChunkedArray]) -> Column:
    arrays = [array.cast(pa.large_string()) for chunk in chunks for array in chunk.chunks]
    return pa.chunked_array(arrays, pa.large_string())


def _json_list(file: IO[str], path: Path) -> list[dict[str, Any]]:
    try:
        rows = json.load(file)
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}: line {error.lineno}: is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise DataError(f"{path.name}: is nested too deeply") from error
    wrong = [number for number, row in enumerate(rows, 1) if not isinstance(row, dict)]
    _refuse(path, [f'item {number}: an object is needed, as {{"text": ...}}' for number in wrong])
    return rows


def _json_lines(file: IO[str], path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    problems: list[str] = []
    for number, line in enumerate(file, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            problems.append(f"line {number}: is not JSON: {_first_line(error)}")
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            problems.append(f"line {number}: holds {type(row).__name__}; an object is needed")
    _refuse(path, problems)
    return rows


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if not problems:
        return
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    lines = [f"  {problem}" for problem in [*problems[:SHOWN], *more]]
    raise DataError("\n".join([f"{path.name}: cannot be parsed", *lines]))


def _check_names(path: Path, names: Sequence[str]) -> None:
    broken = next((found for name in names if (found := _broken(name))), None)
    if broken is not None:
        raise DataError(f"{path.name}: a column's name is not UTF-8: {broken}; save the file as UTF-8")
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise DataError(f"{path.name}: the header names {', '.join(map(repr, twins))} more than once")


def _class_names(numbers: pa.ChunkedArray, names: Sequence[str]) -> pa.ChunkedArray:
    known = [None if number is None or number < 0 else names[number] for number in numbers.to_pylist()]
    return pa.chunked_array([pa.array(known, pa.string())])


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep `datasets` from drawing progress bars and logging; its settings are put back."""
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    level = datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(level)
        if shown:
            datasets.enable_progress_bars()
