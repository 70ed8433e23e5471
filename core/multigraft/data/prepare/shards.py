"""Shards: what is left of a corpus as Parquet files, the same bits however often it was ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from multigraft.data.prepare.judging import file_of, raw_cells, whole_name
from multigraft.data.prepare.nothing_left import nothing_left
from multigraft.data.prepare.plan import Plan
from multigraft.data.prepare.tally import Example, draw, shown
from multigraft.data.prepare.workspace import Workspace
from multigraft.data.sources.marks import form_of, marked, with_folder
from multigraft.errors import DataError, RowError
from multigraft.system.files import new_file

SPLITS = ("train", "validation", "test")
MEGABYTE = 2**20
FORMS = ("json", "npy")
TEXTS = {pa.string(), pa.large_string()}
SEVERAL = (
    "column {column!r} is written as JSON: it holds values of several types, or of one that "
    "Parquet has no type for"
)
KEPT = -2
"""The number by which kept rows are drawn as examples."""


@dataclass
class Written:
    """What was written."""

    shards: list[dict[str, Any]] = field(default_factory=list)
    """``file``, ``rows``, ``bytes`` and ``sha256`` of each."""
    rows: dict[str, int] = field(default_factory=dict)
    """By split."""
    examples: list[Example] = field(default_factory=list)
    """Of rows that were kept."""
    notes: list[str] = field(default_factory=list)
    """What a person should know of it."""


def write_shards(plan: Plan, work: Workspace, blocks: int, folder: Path) -> Written:
    """Write the rows that are left, split by split; files that are there already stay as they are.

    Raises DataError where nothing is left.
    """
    number = plan.passes[-1].number
    schema, whole = _schema(plan, work, number, blocks)
    written = Written()
    column = plan.modality.columns[0]
    if column in schema.names and form_of(schema.field(column)) == FORMS[0]:
        written.notes.append(SEVERAL.format(column=column))
    with ExitStack() as held:
        open_shards = {
            split: held.enter_context(_Shards(folder, split, schema, plan.recipe.shard_mb, written))
            for split in SPLITS
        }
        for batch, places, base in _left(work, number, blocks):
            parts = _parts(plan, batch, column)
            _draw_kept(plan, written, batch, places, base)
            rows = _as(schema, batch, base if whole else None, plan.modality.columns)
            for part, split in enumerate(SPLITS):
                open_shards[split].add(rows.take(pa.array(np.flatnonzero(parts == part))))
    if not written.shards:
        raise DataError(nothing_left(plan, work))
    written.shards.sort(key=lambda each: str(each["file"]))
    return written


def _left(
    work: Workspace, number: int, blocks: int
) -> Iterator[tuple[pa.RecordBatch, np.ndarray, str | None]]:
    """Rows, places and folder of each block behind the last pass, without duplicates."""
    matched = work.match(number)
    for block, (start, stop) in enumerate(work.starts(number, blocks)):
        batch, places = work.rows(number, block)
        if matched is not None:
            stays = np.flatnonzero(matched[start:stop] < 0)
            batch, places = batch.take(pa.array(stays)), places[stays]
        if batch.num_rows:
            yield batch, places, work.facts(number, block)["folder"]


def _schema(plan: Plan, work: Workspace, number: int, blocks: int) -> tuple[pa.Schema, bool]:
    """The columns of all blocks, each of one type; and whether names of files must be whole."""
    types: dict[str, set[Any]] = {}
    folders = set()
    for block in range(blocks):
        facts = work.facts(number, block)
        if facts["rows"]:
            folders.add(facts["folder"])
            for each in work.rows(number, block)[0].schema:
                types.setdefault(each.name, set()).add(form_of(each) or each.type)
    names = list(types) if plan.recipe.keep is None else list(plan.recipe.keep)
    fields = [_field(name, types.get(name, set())) for name in names]
    folder = next(iter(folders)) if len(folders) == 1 else None
    told = None if folder is None else with_folder(Path(folder))
    return pa.schema(fields, metadata=told), len(folders) > 1


def _field(name: str, kinds: set[Any]) -> pa.Field:
    """A column of one type, or of whole and other numbers; anything else is kept as JSON."""
    real = {pa.large_string() if kind in TEXTS else kind for kind in kinds if kind != pa.null()}
    if not real:
        return pa.field(name, pa.large_string())
    if len(real) == 1:
        kind = next(iter(real))
        written = {"json": pa.large_string(), "npy": pa.large_binary()}
        form = kind if kind in FORMS else None
        return pa.field(name, written[form] if form else kind, metadata=marked(form))
    if real == {pa.int64(), pa.float64()}:
        return pa.field(name, pa.float64())
    return pa.field(name, pa.large_string(), metadata=marked("json"))


def _as(
    schema: pa.Schema, batch: pa.RecordBatch, base: str | None, names: Sequence[str]
) -> pa.RecordBatch:
    """A batch in the types of the schema; names of files from the root, where ``base`` is given."""
    arrays = [_array(batch, each, base if each.name in names else None) for each in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(batch: pa.RecordBatch, wanted: pa.Field, base: str | None) -> pa.Array:
    if wanted.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, wanted.type)
    values = batch.column(wanted.name)
    form, own = form_of(wanted), form_of(batch.schema.field(wanted.name))
    if base is not None:
        return pa.array([_whole(value, base) for value in values.to_pylist()], wanted.type)
    if form == own:
        return values.cast(wanted.type)
    cells = raw_cells(batch, wanted.name)
    told = [None if cell is None else json.dumps(cell, ensure_ascii=False) for cell in cells]
    return pa.array(told, wanted.type)


def _whole(value: Any, base: str) -> Any:
    try:
        return whole_name(value, base)
    except RowError:
        return value


def _parts(plan: Plan, batch: pa.RecordBatch, column: str) -> np.ndarray:
    """[rows]: 0 train, 1 validation, 2 test, by a hash of the row's value, or of its group's."""
    split = plan.recipe.split
    if not split.validation + split.test:
        return np.zeros(batch.num_rows, np.int64)
    name = split.group or column
    seed = plan.recipe.seed.to_bytes(8, "little")
    shares = np.array([_share(value, seed) for value in raw_cells(batch, name)])
    return np.where(shares < split.test, 2, np.where(shares < split.test + split.validation, 1, 0))


def _share(value: Any, seed: bytes) -> float:
    """A number from 0 to 1 that follows from a value alone."""
    content = value if isinstance(value, bytes) else repr(value).encode(errors="surrogatepass")
    found = hashlib.blake2b(content, digest_size=8, key=seed).digest()
    return int.from_bytes(found, "little") / 2**64


def _draw_kept(
    plan: Plan, written: Written, batch: pa.RecordBatch, places: np.ndarray, base: str | None
) -> None:
    """Keep those rows as examples that come first in the draw."""
    most, column = plan.recipe.examples, plan.modality.columns[0]
    if not most:
        return
    draws = np.array([draw(KEPT, row) for row in places.tolist()])
    chosen = np.argsort(draws, kind="stable")[:most]
    cells = raw_cells(batch.take(pa.array(chosen)), column)
    found = [
        Example(int(places[row]), shown(cell), "", int(draws[row]), file_of(cell, base))
        for row, cell in zip(chosen.tolist(), cells, strict=True)
    ]
    written.examples = sorted([*written.examples, *found], key=lambda each: each.draw)[:most]


class _Shards:
    """The files of one split, written one after another; a context, which ends the last of them."""

    def __init__(
        self, folder: Path, split: str, schema: pa.Schema, megabytes: int, written: Written
    ) -> None:
        self._folder = folder / split
        self._split = split
        self._schema = schema
        self._limit = megabytes * MEGABYTE
        self._written = written
        self._number = self._rows = self._bytes = 0
        self._held = ExitStack()
        self._writer: Any = None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self._rows:
            self._close()
        elif self._writer is not None:
            self._writer.close()
            self._held.__exit__(kind, error, trace)  # what is half written is begun anew

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows, and close the file that they fill."""
        if not batch.num_rows:
            return
        path = self._path
        if not self._rows and not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open(self._held.enter_context(new_file(path)))
        if self._writer is not None:
            self._writer.write_batch(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._bytes >= self._limit:
            self._close()

    @property
    def _path(self) -> Path:
        return self._folder / f"{self._number:05d}.parquet"

    def _open(self, file: BinaryIO) -> None:
        from pyarrow import parquet

        self._writer = parquet.ParquetWriter(file, self._schema, compression="zstd")

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._held.close()
        path = self._path
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        told: Mapping[str, Any] = {
            "file": f"{self._split}/{path.name}",
            "rows": self._rows,
            "bytes": path.stat().st_size,
            "sha256": digest,
        }
        self._written.shards.append(dict(told))
        self._written.rows[self._split] = self._written.rows.get(self._split, 0) + self._rows
        self._number, self._rows, self._bytes, self._writer = self._number + 1, 0, 0, None
        self._held = ExitStack()
