"""File formats: CSV, JSON, Parquet and hub data as columns; errors are said with their line.

CSV and JSON are parsed here by the standard library: it gives exact lines, keeps each row's own
types, and lets one row with broken bytes be named instead of ending the load.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from multigraft.contracts.formats import PLAIN, Chunk, Layout, Parsed
from multigraft.data.sources.arrow_cache import convert, gather
from multigraft.data.sources.cells import broken, column, open_text
from multigraft.data.sources.columns import Coded
from multigraft.data.sources.delimited import (
    Form,
    find_form,
    long_cells,
    name_columns,
    read_records,
    suspicious,
    without_empty_end,
)
from multigraft.data.sources.json_rows import read_objects
from multigraft.data.sources.marks import folder_told, form_of
from multigraft.errors import DataError, first_line, refused_as

NO_PARQUET = "is not a sound Parquet file"
CHUNK = 50_000
"""The most rows of a chunk."""
CHUNK_BYTES = 2**23
"""About the most text of a chunk."""
LARGE = 64 * 2**20
"""The bytes from which a file is not kept in memory."""


def read_csv(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a CSV file with a header, separated by whichever of ``, ; tab |`` its header holds most.

    CSV knows no types: every cell is text, an empty one None. Raises DataError with the lines of
    records that have more or fewer cells than the header.
    """
    return read_chunks(
        path, partial(csv_chunks, layout=layout), path.stat().st_size, f"csv {layout}"
    )


def read_json(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read JSON lines or one list of objects. Raises DataError with the lines that are not JSON."""
    return read_chunks(
        path, partial(json_chunks, layout=layout), path.stat().st_size, f"json {layout}"
    )


def read_parquet(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a Parquet file, whatever the layout of text. Raises DataError where it is none."""
    from pyarrow import parquet

    with refused_as(DataError, f"{path.name}: {NO_PARQUET}"):
        facts = parquet.read_metadata(path)
        size = sum(
            facts.row_group(number).total_byte_size for number in range(facts.num_row_groups)
        )
    parsed = read_chunks(path, parquet_chunks, size, "parquet")
    return replace(parsed, folder=folder_told(facts.metadata))


def read_chunks(
    path: Path, chunks: Callable[[Path], Iterator[Chunk]], size: int, kind: str
) -> Parsed:
    """Join the chunks of a file of ``size`` bytes in memory, or map those of a large one."""
    return convert(path, chunks, size, kind) if size >= LARGE else gather(chunks(path))


def csv_chunks(path: Path, layout: Layout = PLAIN) -> Iterator[Chunk]:
    """Read the rows of a CSV file, some at a time."""
    with open_text(path, layout.encoding) as file, long_cells():
        form = find_form(file, path, layout.quotes)
        records = read_records(file, path, form)
        header = next(records, [])
        if not header:
            raise DataError(f"{path.name}: is empty; a header line and rows are needed")
        names, notes = name_columns(header)
        check_names(path, names)
        rows = without_empty_end(records, notes)
        first = 0
        for block in blocks((record, sum(map(len, record))) for record in rows):
            yield _csv_chunk(
                block, names, header=header, form=form, first=first, encoding=layout.encoding
            )
            first += len(block)
        yield Chunk({} if first else {name: [] for name in names}, 0, notes=notes)


def _csv_chunk(
    block: list[list[str]],
    names: Sequence[str],
    *,
    header: Sequence[str],
    form: Form,
    first: int,
    encoding: str,
) -> Chunk:
    """Records as columns; one that has neither a name nor a value is left out."""
    bad: dict[int, str] = {}
    columns = {
        name: column([cell or None for cell in values], name, bad, first, encoding)
        for name, own, values in zip(names, header, zip(*block, strict=True), strict=True)
        if own.strip() or any(values)
    }
    inside = suspicious(block, form)
    warnings = {what: [first + row for row in rows] for what, rows in inside.items()}
    return Chunk(columns, len(block), bad, warnings)


def json_chunks(path: Path, layout: Layout = PLAIN) -> Iterator[Chunk]:
    """Read the rows of JSON lines, some at a time; a list is parsed whole."""
    first = 0
    with open_text(path, layout.encoding) as file:
        for block in blocks(read_objects(file, path)):
            names = list(dict.fromkeys(name for row in block for name in row))
            check_names(path, names)
            bad: dict[int, str] = {}
            columns = {
                name: column([row.get(name) for row in block], name, bad, first, layout.encoding)
                for name in names
            }
            yield Chunk(columns, len(block), bad)
            first += len(block)
    if not first:
        raise DataError(
            f"{path.name}: is empty; one JSON object a line is needed, or a list of them"
        )


def parquet_chunks(path: Path, layout: Layout = PLAIN) -> Iterator[Chunk]:
    """Read the rows of a Parquet file, some at a time, whatever the layout of text."""
    from pyarrow import parquet

    with refused_as(DataError, f"{path.name}: {NO_PARQUET}"), parquet.ParquetFile(path) as file:
        told = file.schema_arrow.metadata
        folder = folder_told(told)
        size = sum(
            file.metadata.row_group(number).total_byte_size for number in range(file.num_row_groups)
        )
        rows = max(1, min(CHUNK, CHUNK_BYTES * file.metadata.num_rows // max(1, size)))
        if not file.metadata.num_rows:
            yield Chunk({name: [] for name in file.schema_arrow.names}, 0, folder=folder)
        for batch in file.iter_batches(batch_size=rows):
            table = pa.Table.from_batches([batch])
            # text that is not UTF-8 would else be found in the middle of training
            table.validate(full=True)
            columns = columns_of(table.replace_schema_metadata(told))
            yield Chunk(columns, len(table), folder=folder)


def blocks(rows: Iterable[tuple[Any, int]]) -> Iterator[list[Any]]:
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


def read_hub(name: str, split: str) -> Parsed:
    """Read one ``split`` of ``owner/name[:subset]`` from the hub, or offline from its cache."""
    import datasets

    owner_name, _, subset = name.partition(":")
    try:
        with _quiet():
            found = datasets.load_dataset(owner_name, subset or None)
    except (
        Exception
    ) as error:  # a set's files are a stranger's, and each of their readers has its errors
        raise DataError(
            f"hub:{name}: cannot be loaded: {first_line(error)}\n"
            "  without a network, load it once where there is one, or give a file: data.train: "
            "rows.parquet"
        ) from error
    if split not in found:
        raise DataError(f"hub:{name}: has no split {split!r}; it has: {', '.join(found)}")
    with refused_as(DataError, f"hub:{name}: cannot be read"):
        return Parsed(dict(columns_of(found[split].with_format("arrow")[:])))


def columns_of(table: pa.Table) -> Mapping[str, Any]:
    """The columns of an Arrow table; classes that `datasets` numbers get their names back.

    Raises whatever is wrong with what the file says of its classes.
    """
    features = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    kinds = features.get("info", {}).get("features", {})
    columns: dict[str, Any] = {}
    for name in table.column_names:
        names = kinds.get(name, {}).get("names") if isinstance(kinds.get(name), dict) else None
        form = form_of(table.schema.field(name))
        if form is not None:
            columns[name] = _written(Coded(table[name].combine_chunks(), form))
        else:
            columns[name] = _class_names(table[name], name, names) if names else table[name]
    return columns


def _written(coded: Coded) -> Coded | list[Any]:
    """Values that are no plain ones; each is looked at now, as any may be broken."""
    decoded = [coded.decoded(written) for written in coded.values.to_pylist()]
    return decoded if coded.form == "json" else coded


def check_names(path: Path, names: Sequence[str]) -> None:
    """Raise DataError where a column's name cannot be read, or two are the same."""
    found = next((found for name in names if (found := broken(name))), None)
    if found is not None:
        raise DataError(
            f"{path.name}: a column's name is not UTF-8: {found}; save the file as UTF-8, or set "
            "data.encoding to what it was written in, as cp1252"
        )
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise DataError(
            f"{path.name}: the header names {', '.join(map(repr, twins))} more than once"
        )


def _class_names(numbers: pa.ChunkedArray, name: str, names: Sequence[str]) -> pa.ChunkedArray:
    values = numbers.to_pylist()
    beyond = next((value for value in values if value is not None and value >= len(names)), None)
    if beyond is not None:
        raise ValueError(f"column {name!r} holds class {beyond}, of which there are {len(names)}")
    known = [None if value is None or value < 0 else names[value] for value in values]
    return pa.chunked_array([pa.array(known, pa.string())])


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
