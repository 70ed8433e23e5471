"""Memory-mapped row file: rows of named arrays in one file, read by number."""

from __future__ import annotations

import json
import mmap
from array import array
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.types import Arrays

DATA, INDEX, FORMS = "rows.bin", "index.npy", "forms.json"
ALIGN = 16
HEAD = np.dtype(np.int64)

Form = tuple[tuple[str, str, int], ...]
"""What rows of one kind look like: each array's name, dtype and number of axes."""


class StoreWriter:
    """Writes rows one after another into an empty folder; `close` makes it a store.

    A folder that was not closed is none: write into `cache.new_entry`. Raises OSError where the
    disk is full.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = (folder / DATA).open("wb", buffering=1 << 20)
        self._forms: dict[Form, int] = {}
        self._index = array("q")
        self.size = self._file.write(bytes(ALIGN))  # an empty file could not be mapped
        """The bytes written so far."""

    def __len__(self) -> int:
        return len(self._index) // 2

    def add(self, row: Arrays) -> int:
        """Write one row; give its number. Raises TypeError for other than numbers or text."""
        arrays = {name: np.asarray(values) for name, values in row.items()}
        form: Form = tuple(
            (name, _plain(name, each.dtype), each.ndim) for name, each in arrays.items()
        )
        self._index.extend((self.size, self._forms.setdefault(form, len(self._forms))))
        shapes = [side for each in arrays.values() for side in each.shape]
        self._write(np.array(shapes, HEAD))
        for each in arrays.values():
            self._write(each)
        return len(self) - 1

    def close(self) -> None:
        """Write the index; the store is complete."""
        self._file.close()
        np.save(self._folder / INDEX, np.frombuffer(self._index, np.int64).reshape(-1, 2))
        text = json.dumps({"size": self.size, "forms": list(self._forms)})
        (self._folder / FORMS).write_text(text, encoding="utf-8")

    def abandon(self) -> None:
        """Stop without making a store."""
        with suppress(OSError):  # what a full disk did not take is still in the buffer
            self._file.close()

    def _write(self, values: np.ndarray) -> None:
        self.size += self._file.write(values.tobytes())
        self.size += self._file.write(bytes(-self.size % ALIGN))


class Store:
    """The rows of a closed `StoreWriter`. Only the rows asked for are read from the disk."""

    def __init__(self, folder: Path) -> None:
        """Open a store. Raises OSError where it is gone, ValueError where it is not whole."""
        self.folder = folder
        facts = json.loads((folder / FORMS).read_text(encoding="utf-8"))
        self._index = map_array(folder / INDEX)
        self._forms: list[Form] = [tuple((n, d, a) for n, d, a in form) for form in facts["forms"]]
        with (folder / DATA).open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if len(self._map) != facts["size"]:
            raise ValueError(
                f"{folder / DATA}: has {len(self._map)} bytes; {facts['size']} were written"
            )

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, number: int) -> Arrays:
        """All arrays of one row: read-only views of the file."""
        return self.fetch(number, None)

    def fetch(self, number: int, names: Collection[str] | None) -> Arrays:
        """Fetch those arrays of one row that are in ``names`` (None: all), as read-only views."""
        offset, form = self._index[number].tolist()
        fields = self._forms[form]
        axes = sum(count for _, _, count in fields)
        shapes = np.frombuffer(self._map, HEAD, axes, offset).tolist()
        offset = _aligned(offset + axes * HEAD.itemsize)
        found: Arrays = {}
        for name, kind, count in fields:
            shape, shapes = shapes[:count], shapes[count:]
            dtype = np.dtype(kind)
            if names is None or name in names:
                found[name] = np.ndarray(shape, dtype, self._map, offset)
            offset = _aligned(offset + dtype.itemsize * _product(shape))
        return found

    def __reduce__(self) -> Any:
        return Store, (self.folder,)


def map_array(path: Path) -> np.ndarray:
    """Map a file of numpy's. Raises OSError where it is gone, ValueError where it is cut."""
    try:
        # a plain array is quicker than np.memmap
        return np.load(path, mmap_mode="r").view(np.ndarray)
    except EOFError as error:
        raise ValueError(f"{path}: is empty") from error


def _plain(name: str, dtype: np.dtype) -> str:
    if dtype.hasobject or dtype.names or dtype.kind == "V":
        raise TypeError(f"array {name!r} is of {dtype}, which cannot be stored")
    return dtype.str


def _aligned(offset: int) -> int:
    return offset + -offset % ALIGN


def _product(shape: list[int]) -> int:
    total = 1
    for side in shape:
        total *= side
    return total
