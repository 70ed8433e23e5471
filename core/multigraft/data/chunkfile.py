"""Columns of a long file, converted once into a memory-mapped Arrow file in the cache."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from multigraft import cache
from multigraft.__about__ import __version__
from multigraft.data.columns import Coded, Column, Piece, Pieces
from multigraft.errors import DataError

log = logging.getLogger("multigraft")
KIND = "tables"
DATA, INDEX = "chunks.arrow", "chunks.json"
FORM = 1
"""Raised when the same file would be converted into something else."""
CODED = {b"multigraft": b"json"}


@dataclass(frozen=True)
class Chunk:
    """Some consecutive rows of a file. ``bad`` counts rows from the file's first."""

    columns: Mapping[str, pa.Array | pa.ChunkedArray | list[Any]]
    rows: int
    bad: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parsed:
    """A file's columns by its own names, and the rows in it that cannot be decoded."""

    columns: dict[str, Column]
    bad: dict[int, str] = field(default_factory=dict)
    key: str | None = None
    """What names this content in the cache; None where it is not kept there."""


def gather(chunks: Iterable[Chunk]) -> Parsed:
    """All chunks in memory."""
    kept = list(chunks)
    counts = [chunk.rows for chunk in kept]
    names = dict.fromkeys(name for chunk in kept for name in chunk.columns)
    columns = {name: _joined([chunk.columns.get(name) for chunk in kept], counts) for name in names}
    return Parsed(columns, {row: why for chunk in kept for row, why in chunk.bad.items()})


def _joined(pieces: list[Piece], counts: list[int]) -> Column:
    only = pieces[0] if len(pieces) == 1 else None
    return Pieces(pieces, counts) if only is None or isinstance(only, Coded) else only


def convert(path: Path, chunks: Callable[[Path], Iterator[Chunk]], size: int) -> Parsed:
    """The columns of ``path`` as a memory-mapped file, about ``size`` bytes; made where it is not there yet.

    Where the cache has no room, all is read into memory. Raises DataError where the file changes meanwhile.
    """
    key = _key(path, chunks.__name__)
    parsed = _opened(cache.find_entry(KIND, key), key)
    if parsed is None and cache.room_for(size):
        _make(path, chunks, key)
        parsed = _opened(cache.find_entry(KIND, key), key)
    if parsed is None:
        log.warning("%s: the cache has no room for its rows; they are read into memory", path.name)
        return gather(chunks(path))
    return parsed


def _make(path: Path, chunks: Callable[[Path], Iterator[Chunk]], key: str) -> None:
    """Write the entry; where the disk is full there is none."""
    try:
        with cache.new_entry(KIND, key) as folder:
            _write(folder, chunks(path))
            if _key(path, chunks.__name__) != key:
                raise DataError(f"{path.name}: changed while it was read; start again")
    except OSError as error:
        log.warning("%s: the cache cannot be written: %s", path.name, error)


def _key(path: Path, kind: str) -> str:
    """What a file is as far as can be told without reading it."""
    facts = path.stat()
    told = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]
    text = json.dumps([FORM, __version__, kind, str(path.resolve()), *told])
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _opened(folder: Path | None, key: str) -> Parsed | None:
    if folder is None:
        return None
    try:
        return Parsed(*open_columns(folder), key)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        log.info("%s: is made again: %s", folder, error)
        cache.drop_entry(folder)
        return None


def open_columns(folder: Path) -> tuple[dict[str, Column], dict[int, str]]:
    """The columns of a converted file, and its bad rows. Raises OSError or ValueError for one not whole."""
    facts = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    with pa.memory_map(str(folder / DATA)) as file:
        whole = file.read_buffer()
    if whole.size != facts["size"]:
        raise ValueError(f"{folder / DATA}: has {whole.size} bytes; {facts['size']} were written")
    batches = [pa.ipc.open_stream(whole.slice(start)).read_next_batch() for start in facts["starts"]]
    columns: dict[str, Column] = {
        name: Pieces([_piece(batch, name) for batch in batches], facts["counts"], (_column, (folder, name)))
        for name in facts["names"]
    }
    return columns, {int(row): why for row, why in facts["bad"].items()}


def _column(folder: Path, name: str) -> Column:
    return open_columns(folder)[0][name]


def _piece(batch: pa.RecordBatch, name: str) -> Piece:
    if name not in batch.schema.names:
        return None
    values = batch.column(name)
    return Coded(values) if batch.schema.field(name).metadata == CODED else values


def _write(folder: Path, chunks: Iterable[Chunk]) -> None:
    """Each chunk is a stream of one batch, of its own types, one after another in the file."""
    names: dict[str, None] = {}
    bad: dict[int, str] = {}
    starts, counts = [], []
    with pa.OSFile(str(folder / DATA), "wb") as file:
        for chunk in chunks:
            names.update(dict.fromkeys(chunk.columns))
            bad.update(chunk.bad)
            starts.append(file.tell())
            counts.append(chunk.rows)
            batch = _batch(chunk)
            with pa.ipc.new_stream(file, batch.schema) as stream:
                stream.write_batch(batch)
        size = file.tell()
    facts = {"names": list(names), "starts": starts, "counts": counts, "size": size, "bad": bad}
    (folder / INDEX).write_text(json.dumps(facts), encoding="utf-8")


def _batch(chunk: Chunk) -> pa.RecordBatch:
    fields, arrays = [], []
    for name, values in chunk.columns.items():
        array = _coded(values) if isinstance(values, list) else values
        arrays.append(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array)
        fields.append(pa.field(name, array.type, metadata=CODED if isinstance(values, list) else None))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _coded(values: Any) -> pa.Array:
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return pa.array(texts, pa.large_string())
