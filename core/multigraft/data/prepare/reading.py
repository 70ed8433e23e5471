"""Streaming of sources: rows in blocks of a few megabytes, whatever holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from multigraft.contracts.formats import AUTO, UTF8, Chunk, Format, Layout
from multigraft.contracts.records import Modality
from multigraft.data.prepare.fields import Preparation
from multigraft.data.sources.arrow_cache import record_batch
from multigraft.data.sources.cells import column
from multigraft.data.sources.columns import take
from multigraft.data.sources.encodings import by_mark, read_as, western
from multigraft.data.sources.folders import list_folder
from multigraft.data.sources.load import HUB, load_table
from multigraft.data.sources.media_folders import METADATA
from multigraft.data.sources.parsing import endings_of, parse
from multigraft.data.sources.remote import fetched, is_remote
from multigraft.data.sources.several import (
    holds_media,
    looked_in,
    refuse_mixed,
    row_files,
    sources_in,
)
from multigraft.data.sources.table import Table
from multigraft.data.sources.text_folders import holds_texts, is_text
from multigraft.data.sources.unpacking import unpacked
from multigraft.errors import DataError, did_you_mean, refused_as
from multigraft.system.file_endings import ending_of, is_packed
from multigraft.system.files import expanded

ROWS = 4096
"""Rows of a block of what is not read as a stream."""


@dataclass(frozen=True)
class Block:
    """Consecutive rows of one source."""

    batch: pa.RecordBatch
    """Columns by our names; what Arrow has no type for as JSON (see `record_batch`)."""
    name: str
    """The source, as a person calls it."""
    bad: Mapping[int, str] = field(default_factory=dict)
    """Rows of the block that cannot be used, and why."""
    folder: str | None = None
    """Where relative names of files start."""
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Sources:
    """Reads what a recipe names."""

    recipe: Preparation
    modality: Modality
    formats: Sequence[Format]
    base: Path | None = None

    def blocks(self) -> Iterator[Block]:
        """All rows in their order; at most `Preparation.limit`. Raises DataError."""
        left = self.recipe.limit
        for each in self._blocks():
            block = each if left is None else _first(each, left)
            yield block
            left = None if left is None else left - block.batch.num_rows
            if left == 0:
                return

    def files(self) -> list[Path]:
        """The files on this machine that are read, those of a folder one by one. Raises DataError
        where one is not there."""
        found: list[Path] = []
        for file in self._here():
            found += sorted(p for p in file.rglob("*") if p.is_file()) if file.is_dir() else [file]
        return found

    def folders(self) -> list[Path]:
        """The folders on this machine that are read whole."""
        return [path for path in self._here() if path.is_dir()]

    def _here(self) -> Iterator[Path]:
        """The files and folders of this machine among the sources."""
        for path in sources_in(self.recipe.source, self.base):
            if not self._of_hub(path) and not is_remote(path):
                yield self._there(path)

    def _of_hub(self, path: str) -> bool:
        return path.startswith(HUB) or self.recipe.format == "hub"

    def _there(self, path: str) -> Path:
        """A file or folder of this machine. Raises DataError where it is none."""
        file = (self.base or Path()) / expanded(path)
        if not (file.is_file() or file.is_dir()):  # a device or a pipe would be read for ever
            what = "is no plain file" if file.exists() else f"does not exist{looked_in(file)}"
            raise DataError(f"{path}: {what}")
        return file

    def _blocks(self) -> Iterator[Block]:
        for path in sources_in(self.recipe.source, self.base):
            with ExitStack() as held:
                if self._of_hub(path):
                    yield from self._listed(path)
                elif is_remote(path):
                    for file in held.enter_context(fetched(path)):
                        yield from self._of_file(file)
                else:
                    yield from self._of_path(path)

    def _of_path(self, path: str) -> Iterator[Block]:
        file = self._there(path)
        if not file.is_dir():
            yield from self._of_file(file)
            return
        rows = row_files(file, endings_of(self.formats), leave=METADATA)
        if self.recipe.format != "auto" or not rows or self._rows_are_files(file, rows):
            yield from self._listed(str(file))
            return
        refuse_mixed(file, rows)
        for each in rows:
            yield from self._of_file(each)

    def _rows_are_files(self, folder: Path, rows: Sequence[Path]) -> bool:
        if self.modality.suffixes:
            return holds_media(folder, self.modality)
        return all(map(is_text, rows)) and holds_texts(list_folder(folder))

    def _of_file(self, file: Path) -> Iterator[Block]:
        if not is_packed(file):
            yield from self._stream(file, file.name, ending_of(file), file.parent)
            return
        with unpacked(file, endings_of(self.formats)) as held:
            for name, each in held.items():
                yield from self._stream(each, name, ending_of(each), file.parent)

    def _stream(self, file: Path, name: str, ending: str, beside: Path) -> Iterator[Block]:
        """The rows of one file, as a stream where its format can be read so."""
        kind = self._kind(name, ending)
        layout, notes = self._layout(file, kind)
        first = 0
        with refused_as(DataError, f"{name}: cannot be read"):
            for chunk in _chunks(file, kind, layout):
                if chunk.rows and not first:
                    notes += self._hidden(list(chunk.columns))
                if chunk.rows or chunk.notes:
                    bad = {row - first: why for row, why in chunk.bad.items()}
                    told = [*notes, *(f"{name}: {note}" for note in chunk.notes)]
                    batch = self._named(record_batch(chunk), name, first) if chunk.rows else None
                    first, notes = first + chunk.rows, []
                    if batch is not None or told:
                        folder = self._start(chunk, beside)
                        yield Block(batch or _none(), name, bad, folder, told)

    def _start(self, chunk: Chunk, beside: Path) -> str | None:
        """Where relative names of files in a chunk start, of a modality that has files."""
        folder = beside / chunk.folder if chunk.folder else beside
        return str(folder.resolve()) if self.modality.suffixes else None

    def _kind(self, name: str, ending: str) -> Format:
        known = {each.name: each for each in self.formats}
        if self.recipe.format in known:
            return known[self.recipe.format]
        by_ending = endings_of(self.formats)
        if ending not in by_ending:
            raise DataError(
                f"{name}: cannot tell its format by the ending {ending!r}; "
                f"{did_you_mean(ending, by_ending)}, or set format"
            )
        return by_ending[ending]

    def _layout(self, file: Path, kind: Format) -> tuple[Layout, list[str]]:
        """How a file is written, and what a person should know of it."""
        encoding, notes = self.recipe.encoding, list[str]()
        if encoding == AUTO:
            found = (by_mark(file) or western(file)) if kind.text and file.is_file() else None
            notes = [f"{file.name}: {read_as(file, found)}"] if found else []
            encoding = found or UTF8
        return Layout(encoding, self.recipe.quotes), notes

    def _named(self, batch: pa.RecordBatch, name: str, first: int) -> pa.RecordBatch:
        """Columns under our names. Raises DataError for one that a file's first rows lack."""
        ours = {theirs: own for own, theirs in self.recipe.columns.items()}
        missing = [theirs for theirs in ours if theirs not in batch.schema.names]
        if missing and not first:
            raise DataError(
                f"{name}: columns: there is no column {missing[0]!r}; "
                f"{did_you_mean(missing[0], batch.schema.names)}"
            )
        fields = [each.with_name(ours.get(each.name, each.name)) for each in batch.schema]
        hidden = [each for each in ours.values() if each in batch.schema.names and each not in ours]
        kept = [
            place
            for place, each in enumerate(batch.schema)
            if each.name in ours or each.name not in hidden
        ]
        return pa.RecordBatch.from_arrays(
            [batch.column(place) for place in kept], schema=pa.schema([fields[p] for p in kept])
        )

    def _hidden(self, names: Sequence[str]) -> list[str]:
        """Tell of columns whose names the recipe gives to others."""
        given = self.recipe.columns
        return [
            f"column {own!r} of the source is left out, since columns gives its name to "
            f"{theirs!r}; to keep it, give it another: columns: {{..., other: {own}}}"
            for own, theirs in given.items()
            if own in names and own != theirs and own not in given.values()
        ]

    def _listed(self, path: str) -> Iterator[Block]:
        """The rows of a folder of files, or of a set of the hub, whose list is held in memory."""
        table = load_table(
            path,
            format=self.recipe.format,
            modality=self.modality,
            columns=self.recipe.columns,
            base=self.base,
            layout=Layout(self.recipe.encoding, self.recipe.quotes),
            formats=self.formats,
            raw=False,
        )
        folder = table.content.folder
        notes: Sequence[str] = table.notes
        for start in range(0, len(table), ROWS):
            rows = np.arange(start, min(start + ROWS, len(table)))
            yield _block_of(table, rows, None if folder is None else str(folder.resolve()), notes)
            notes = ()


def _block_of(table: Table, rows: np.ndarray, folder: str | None, notes: Sequence[str]) -> Block:
    columns = {name: take(table.content.columns[name], rows) for name in table.columns}
    bad = {place: why for place, row in enumerate(rows) if (why := table.content.bad.get(int(row)))}
    arrays = {name: column(values, name, bad) for name, values in columns.items()}
    return Block(record_batch(Chunk(arrays, len(rows))), table.name, bad, folder, notes)


def _none() -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([], schema=pa.schema([]))


def _chunks(file: Path, kind: Format, layout: Layout) -> Iterator[Chunk]:
    if kind.chunks is not None and file.is_file():
        yield from kind.chunks(file, layout)
        return
    parsed = parse(file, kind, layout)
    total = len(next(iter(parsed.columns.values()), []))
    for start in range(0, total, ROWS):
        rows = np.arange(start, min(start + ROWS, total))
        bad: dict[int, str] = {row: parsed.bad[row] for row in rows.tolist() if row in parsed.bad}
        columns: dict[str, Any] = {
            name: column(take(values, rows), name, bad, start)
            for name, values in parsed.columns.items()
        }
        yield Chunk(columns, len(rows), bad, folder=parsed.folder)
    yield Chunk({}, 0, notes=parsed.notes)


def _first(block: Block, rows: int) -> Block:
    """The first rows of a block."""
    bad = {row: why for row, why in block.bad.items() if row < rows}
    return Block(block.batch.slice(0, rows), block.name, bad, block.folder, block.notes)
