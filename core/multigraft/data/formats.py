"""CSV, JSON, Parquet and hub data as columns; what is wrong with a file is said with its line.

CSV and JSON are parsed here by the standard library: it gives exact lines, keeps each row's own types,
and lets one row with broken bytes be named instead of ending the load.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from multigraft.data.cells import broken, column, open_text
from multigraft.data.chunkfile import Chunk, Parsed, convert, gather
from multigraft.errors import DataError

SHOWN = 20
CHUNK = 50_000
"""The most rows of a chunk."""
CHUNK_BYTES = 2**23
"""About the most text of a chunk."""
LARGE = 64 * 2**20
"""The bytes from which a file is not kept in memory."""


def read_csv(path: Path) -> Parsed:
    """Read a CSV file with a header, separated by whichever of ``, ; tab`` its header holds most.

    CSV knows no types: every cell is text, an empty one None. Raises DataError with the lines of records
    that have more or fewer cells than the header.
    """
    return _read(path, csv_chunks, path.stat().st_size)


def read_json(path: Path) -> Parsed:
    """Read JSON lines, or one list of objects. Raises DataError with the lines that are not JSON objects."""
    return _read(path, json_chunks, path.stat().st_size)


def read_parquet(path: Path) -> Parsed:
    """Read a Parquet file. Raises DataError where it is none."""
    from pyarrow import parquet

    with _sound(path):
        facts = parquet.read_metadata(path)
    size = sum(facts.row_group(number).total_byte_size for number in range(facts.num_row_groups))
    return _read(path, parquet_chunks, size)


def _read(path: Path, chunks: Callable[[Path], Iterator[Chunk]], size: int) -> Parsed:
    return convert(path, chunks, size) if size >= LARGE else gather(chunks(path))


def csv_chunks(path: Path) -> Iterator[Chunk]:
    """The rows of a CSV file, some at a time."""
    with open_text(path) as file, _long_fields():
        header = file.readline()
        file.seek(0)
        delimiter = max(",;\t", key=header.count)
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        records = _records(reader, path)
        names = next(records, [])
        if not names:
            raise DataError(f"{path.name}: is empty; a header line and rows are needed")
        _check_names(path, names)
        first = 0
        for block in _blocks((record, sum(map(len, record))) for record in records):
            bad: dict[int, str] = {}
            cells = zip(names, zip(*block, strict=True), strict=True)
            columns = {
                name: column([cell or None for cell in values], name, bad, first) for name, values in cells
            }
            yield Chunk(columns, len(block), bad)
            first += len(block)
        if not first:
            yield Chunk({name: [] for name in names}, 0)


def json_chunks(path: Path) -> Iterator[Chunk]:
    """The rows of JSON lines some at a time; a list is parsed whole."""
    first = 0
    with open_text(path) as file:
        text = file.read(1)
        while text.isspace():
            text = file.read(1)
        file.seek(0)
        rows = _json_list(file, path) if text == "[" else _json_lines(file, path)
        for block in _blocks(rows):
            names = list(dict.fromkeys(name for row in block for name in row))
            _check_names(path, names)
            bad: dict[int, str] = {}
            columns = {name: column([row.get(name) for row in block], name, bad, first) for name in names}
            yield Chunk(columns, len(block), bad)
            first += len(block)
    if not first:
        raise DataError(f"{path.name}: is empty; one JSON object a line is needed, or a list of them")


def parquet_chunks(path: Path) -> Iterator[Chunk]:
    """The rows of a Parquet file, some at a time."""
    from pyarrow import parquet

    with _sound(path), parquet.ParquetFile(path) as file:
        features = file.schema_arrow.metadata
        size = sum(file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups))
        rows = max(1, min(CHUNK, CHUNK_BYTES * file.metadata.num_rows // max(1, size)))
        if not file.metadata.num_rows:
            yield Chunk({name: [] for name in file.schema_arrow.names}, 0)
        for batch in file.iter_batches(batch_size=rows):
            table = pa.Table.from_batches([batch])
            table.validate(full=True)  # text that is not UTF-8 would else be found in the middle of training
            yield Chunk(_named(table.replace_schema_metadata(features)), len(table))


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name}: is not a sound Parquet file: {_first_line(error)}") from error


def _blocks(rows: Iterable[tuple[Any, int]]) -> Iterator[list[Any]]:
    """Rows, each with its bytes, as lists of not too many rows or bytes."""
    block: list[Any] = []
    total = 0
    for row, size in rows:
        block.append(row)
        total += size
        if len(block) >= CHUNK or total >= CHUNK_BYTES:
            yield block
            block, total = [], 0
    if block:
        yield block


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
    return Parsed(dict(_named(found[part].with_format("arrow")[:])))


def _named(table: pa.Table) -> Mapping[str, Any]:
    """The columns of an Arrow table; classes that `datasets` stores as numbers get their names back."""
    features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    kinds = features.get("info", {}).get("features", {})
    columns: dict[str, Any] = {}
    for name in table.column_names:
        names = kinds.get(name, {}).get("names") if isinstance(kinds.get(name), dict) else None
        columns[name] = _class_names(table[name], names) if names else table[name]
    return columns


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


def _json_list(file: IO[str], path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    try:
        rows = json.load(file)
    except json.JSONDecodeError as error:
        raise DataError(f"{path.name}: line {error.lineno}: is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise DataError(f"{path.name}: is nested too deeply") from error
    wrong = [number for number, row in enumerate(rows, 1) if not isinstance(row, dict)]
    _refuse(path, [f'item {number}: an object is needed, as {{"text": ...}}' for number in wrong])
    yield from ((row, 0) for row in rows)


def _json_lines(file: IO[str], path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """Each line's object and length. At the file's end raises DataError where some lines hold none."""
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
            yield row, len(line)
        else:
            problems.append(f"line {number}: holds {type(row).__name__}; an object is needed")
    _refuse(path, problems)


def _refuse(path: Path, problems: Sequence[str]) -> None:
    if not problems:
        return
    more = [f"and {len(problems) - SHOWN} more"] if len(problems) > SHOWN else []
    lines = [f"  {problem}" for problem in [*problems[:SHOWN], *more]]
    raise DataError("\n".join([f"{path.name}: cannot be parsed", *lines]))


def _check_names(path: Path, names: Sequence[str]) -> None:
    found = next((found for name in names if (found := broken(name))), None)
    if found is not None:
        raise DataError(f"{path.name}: a column's name is not UTF-8: {found}; save the file as UTF-8")
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
