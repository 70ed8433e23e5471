"""Arrow files, and the folders of them that `datasets` writes with ``save_to_disk``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from multigraft.contracts.formats import PLAIN, Chunk, Layout, Parsed
from multigraft.data.sources.arrow_cache import gather
from multigraft.data.sources.formats import columns_of
from multigraft.data.sources.several import in_order
from multigraft.errors import DataError, refused_as
from multigraft.system.files import is_plain_name

STATE, SPLITS = "state.json", "dataset_dict.json"
NO_ARROW = "is not a sound Arrow file"


def saved_set(folder: Path) -> bool:
    """Tell a folder that `datasets` saved: a set, or its splits."""
    return (folder / STATE).is_file() or (folder / SPLITS).is_file()


def saved_split(folder: Path, split: str) -> Path:
    """The folder of one split; the folder itself where it holds no others. Raises DataError."""
    if not (folder / SPLITS).is_file():
        return folder
    with refused_as(DataError, f"{folder.name}/{SPLITS}: cannot be read"):
        names = list(json.loads((folder / SPLITS).read_text(encoding="utf-8"))["splits"])
    if split not in names or not is_plain_name(split):
        raise DataError(f"{folder.name}: has no split {split!r}; it has: {', '.join(names)}")
    return folder / split


def read_arrow(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read an Arrow file or stream, or a folder that `datasets` saved, through a memory map.

    Raises DataError where it is none.
    """
    files = _files_in(path) if path.is_dir() else [path]
    return gather(chunk for file in files for chunk in arrow_chunks(file))


def _files_in(folder: Path) -> list[Path]:
    with refused_as(DataError, f"{folder.name}/{STATE}: cannot be read"):
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        names = [each["filename"] for each in state["_data_files"]]
    if odd := [name for name in names if not is_plain_name(name)]:
        raise DataError(f"{folder.name}/{STATE}: names {odd[0]!r}, which is no file in the folder")
    return [folder / name for name in sorted(names, key=in_order)]


def arrow_chunks(file: Path, layout: Layout = PLAIN) -> Iterator[Chunk]:
    """Read the rows of an Arrow file or stream, some at a time."""
    with refused_as(DataError, f"{file.name}: {NO_ARROW}"):
        source = pa.memory_map(str(file))
        reader = _reader(source)
        for batch in reader:
            table = pa.Table.from_batches([batch])
            table.validate(full=True)
            yield Chunk(columns_of(table), len(table))
        yield Chunk({name: [] for name in reader.schema.names}, 0)


def _reader(source: Any) -> Any:
    """The record batches of a file, or of a stream as `datasets` writes it."""
    try:
        file = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)
    return _Batches(file)


class _Batches:
    """The batches of an Arrow file, one after another as those of a stream."""

    def __init__(self, file: Any) -> None:
        self.schema = file.schema
        self._file = file

    def __iter__(self) -> Iterator[Any]:
        return (self._file.get_batch(number) for number in range(self._file.num_record_batches))
