"""A value that was read, on its way to its answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from io import IOBase
from typing import Any

from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import all_windows
from multigraft.contracts.types import Arrays
from multigraft.runtime.length_batches import nbytes


@dataclass(frozen=True)
class ReadValue:
    """One value as it was read, and what is asked of its answer."""

    raw: Any
    rows: tuple[Arrays, ...]
    """One row; several where it was cut into windows; none where it could not be read."""
    asked: Mapping[str, Any]
    """As `asking.check_asked` gives it."""
    error: str = ""

    @property
    def size(self) -> int:
        """The bytes of its rows."""
        return sum(nbytes(row) for row in self.rows)

    @property
    def whole_size(self) -> int:
        """The bytes of its rows and of the value itself, which nobody else may hold."""
        return self.size + raw_bytes(self.raw)


def raw_bytes(raw: Any) -> int:
    """About how much memory a raw value takes: an array, bytes, a text, a picture, a tuple of them.

    >>> raw_bytes(b"four"), raw_bytes(("ab", "c")), raw_bytes(3)
    (4, 3, 0)
    """
    if isinstance(raw, Mapping):
        return sum(map(raw_bytes, raw.values()))
    if isinstance(raw, tuple):
        return sum(map(raw_bytes, raw))
    if isinstance(raw, bytes | str):
        return len(raw)
    if isinstance(size := getattr(raw, "nbytes", None), int):
        return size
    shape = getattr(raw, "size", None)  # of a Pillow image: width and height
    return 4 * math.prod(shape) if isinstance(shape, tuple) else 0


def in_windows(value: ReadValue, reader: Reader) -> ReadValue:
    """A value of which the first row was read, with all its windows. Raises RowError."""
    return replace(value, rows=all_windows(reader, value.raw, value.rows[0]))


def is_many(raw: Any) -> bool:
    """Whether each of these values is to be answered: of a list or an iterator, but of no file."""
    return isinstance(raw, list) or (isinstance(raw, Iterator) and not isinstance(raw, IOBase))
