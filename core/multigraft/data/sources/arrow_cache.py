"""Arrow cache: columns of a long file, converted once into a memory-mapped file."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from multigraft.contracts.formats import Chunk, Parsed, Warnings
from multigraft.data.sources.columns import Coded, Column, Piece, Pieces
from multigraft.data.sources.marks import form_of, marked
from multigraft.errors import DataError
from multigraft.system import cache
from multigraft.system.about import __version__

log = logging.getLogger("multigraft")
KIND = "tables"
DATA, INDEX = "chunks.arrow", "chunks.json"
FORM = 2
"""Raised when the same file would be converted into something else."""
FIRST = 3
"""Of the rows that should be looked at, so many are named."""


def gather(chunks: Iterable[Chunk]) -> Parsed:
    """Join all chunks in memory."""
    every = list(chunks)
    kept = [chunk for chunk in every if chunk.rows or chunk.columns]
    counts = [chunk.rows for chunk in kept]
    names = dict.fromkeys(name for chunk in kept for name in chunk.columns)
    columns = {name: _joined([chunk.columns.get(name) for chunk in kept], counts) for name in names}
    bad = {row: why for chunk in kept for row, why in chunk.bad.items()}
    return Parsed(columns, bad, _warnings(every), [note for chunk in every for note in chunk.notes])


def _warnings(chunks: Iterable[Chunk]) -> Warnings:
    found: Warnings = {}
    for chunk in chunks:
        for what, rows in chunk.warnings.items():
            count, first = found.get(what, (0, []))
            found[what] = (count + len(rows), [*first, *rows][:FIRST])
    return found


def _joined(pieces: list[Piece], counts: list[int]) -> Column:
    only = pieces[0] if len(pieces) == 1 else None
    return Pieces(pieces, counts) if only is None or isinstance(only, Coded) else only


def convert(path: Path, chunks: Callable[[Path], Iterator[Chunk]], size: int, kind: str) -> Parsed:
    """Convert ``path`` to columns in a memory-mapped file of about ``size`` bytes, once.

    ``kind`` is how ``chunks`` reads it. Where the cache has no room, all is read into memory.
    Raises DataError where the file changes meanwhile.
    """
    key = file_key(path, kind)
    parsed = _opened(cache.find_entry(KIND, key), key)
    if parsed is None and cache.room_for(size):
        _make(path, chunks, kind)
        parsed = _opened(cache.find_entry(KIND, key), key)
    if parsed is None:
        log.warning("%s: the cache has no room for its rows; they are read into memory", path.name)
        return gather(chunks(path))
    return parsed


def _make(path: Path, chunks: Callable[[Path], Iterator[Chunk]], kind: str) -> None:
    """Write the entry; where the disk is full there is none."""
    key = file_key(path, kind)
    try:
        with cache.new_entry(KIND, key) as folder:
            _write(folder, chunks(path))
            if file_key(path, kind) != key:
                raise DataError(f"{path.name}: changed while it was read; start again")
    except OSError as error:
        log.warning("%s: the cache cannot be written: %s", path.name, error)


def file_key(path: Path, kind: str) -> str:
    """What a file is as far as can be told without reading it."""
    facts = path.stat()
    told = [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]
    text = json.dumps([FORM, __version__, kind, str(path.resolve()), *told])
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]


def _opened(folder: Path | None, key: str) -> Parsed | None:
    if folder is None:
        return None
    try:
        columns, facts = open_columns(folder)
        bad = {int(row): why for row, why in facts["bad"].items()}
        warnings = {what: (count, first) for what, (count, first) in facts["doubts"].items()}
        return Parsed(columns, bad, warnings, facts["notes"], key)
    except (
        Exception
    ) as error:  # the cache is a border: whatever is wrong with an entry, it is made again
        log.info("%s: is made again: %s", folder, error)
        cache.drop_entry(folder)
        return None


def open_columns(folder: Path) -> tuple[dict[str, Column], dict[str, Any]]:
    """Open the columns of a converted file and their facts. Raises whatever is wrong with it."""
    facts = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    with pa.memory_map(str(folder / DATA)) as file:
        whole = file.read_buffer()
    if whole.size != facts["size"]:
        raise ValueError(f"{folder / DATA}: has {whole.size} bytes; {facts['size']} were written")
    batches = [
        pa.ipc.open_stream(whole.slice(start)).read_next_batch() for start in facts["starts"]
    ]
    columns: dict[str, Column] = {
        name: Pieces(
            [_piece(batch, name) for batch in batches], facts["counts"], (_column, (folder, name))
        )
        for name in facts["names"]
    }
    return columns, facts


def _column(folder: Path, name: str) -> Column:
    return open_columns(folder)[0][name]


def _piece(batch: pa.RecordBatch, name: str) -> Piece:
    if name not in batch.schema.names:
        return None
    values = batch.column(name)
    form = form_of(batch.schema.field(name))
    return values if form is None else Coded(values, form)


def _write(folder: Path, chunks: Iterable[Chunk]) -> None:
    """Each chunk is a stream of one batch, of its own types, one after another in the file."""
    names: dict[str, None] = {}
    bad: dict[int, str] = {}
    kept: list[Chunk] = []
    starts, counts = [], []
    with pa.OSFile(str(folder / DATA), "wb") as file:
        for chunk in chunks:
            names.update(dict.fromkeys(chunk.columns))
            bad.update(chunk.bad)
            kept.append(replace(chunk, columns={}))
            starts.append(file.tell())
            counts.append(chunk.rows)
            batch = record_batch(chunk)
            with pa.ipc.new_stream(file, batch.schema) as stream:
                stream.write_batch(batch)
        size = file.tell()
    facts = {
        **{"names": list(names), "starts": starts, "counts": counts, "size": size, "bad": bad},
        # earlier versions share the cache, so that the key stays
        **{"doubts": _warnings(kept), "notes": [note for chunk in kept for note in chunk.notes]},
    }
    (folder / INDEX).write_text(json.dumps(facts), encoding="utf-8")


def record_batch(chunk: Chunk) -> pa.RecordBatch:
    """A chunk as Arrow has it; what is no plain value as JSON, which a field's metadata says."""
    fields, arrays = [], []
    for name, values in chunk.columns.items():
        coded = _coded(values) if isinstance(values, list) else values
        form = coded.form if isinstance(coded, Coded) else None
        array = coded.values if isinstance(coded, Coded) else coded
        arrays.append(array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array)
        fields.append(pa.field(name, array.type, metadata=marked(form)))
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _coded(values: Any) -> Coded:
    texts = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
    return Coded(pa.array(texts, pa.large_string()))
