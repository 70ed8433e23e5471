"""A value that was read, on its way to its answer."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import IOBase
from typing import Any

from multigraft.contracts.answers import Answers
from multigraft.contracts.reader import Reader, WindowReader
from multigraft.contracts.readers import (
    all_windows,
    naming_file,
    oddities_of,
    read_row,
    row_errors,
)
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError
from multigraft.runtime.asking import Long, OnError
from multigraft.runtime.describing import check_columns
from multigraft.runtime.flipping import with_mirrored
from multigraft.runtime.length_batches import nbytes
from multigraft.runtime.long_values import bounded

log = logging.getLogger("multigraft")
NOTED = 10
"""The most warnings of one call."""


def never() -> bool:
    """Of an answer that is waited for until its end."""
    return False


@dataclass(frozen=True)
class ReadValue:
    """One value as it was read, and what is asked of its answer."""

    raw: Any
    rows: tuple[Arrays, ...]
    """One row; several where it was cut into windows; none where it could not be read."""
    asked: Mapping[str, Any]
    """As `asking.check_asked` gives it."""
    error: str = ""
    odd: tuple[str, ...] = ()
    """What its reader tells of it (`TellingReader`)."""
    place: int = 0
    """Among the values that were asked for together."""
    gone: Callable[[], bool] = never
    """Whether nobody waits for its answer any more."""

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


def in_views(value: ReadValue, answers: Answers, reader: Reader) -> ReadValue:
    """A value with the mirror images of its rows, where it is asked for them."""
    return replace(value, rows=with_mirrored(value.rows, value.asked, answers, reader))


@dataclass(frozen=True)
class ValueReader:
    """Reads values one after another, all in the same way."""

    reader: Reader
    columns: Sequence[str] = ()
    """What the training rows had, where it is known."""
    asked: Mapping[str, Any] = field(default_factory=dict)
    long: Long = "truncate"
    on_error: OnError = "raise"

    def __call__(self, numbered: tuple[int | None, Any]) -> ReadValue:
        """Read a value, which has a number among many. Raises RowError, which tells it."""
        index, raw = numbered
        try:
            check_columns(self.columns, raw)
            rows = self._rows(raw)
            odd = tuple(oddities_of(self.reader, raw))
            return ReadValue(raw, rows, self.asked, odd=odd)
        except RowError as error:
            why = naming_file(str(error), raw)
            text = why if index is None else f"item {index}: {why}"
            if self.on_error == "return":
                return ReadValue(raw, (), self.asked, text)
            raise RowError(text) from error

    def _rows(self, raw: Any) -> tuple[Arrays, ...]:
        if self.long == "window" and isinstance(self.reader, WindowReader):
            with row_errors():
                return tuple(self.reader.windows(raw))
        row = read_row(self.reader, raw)
        if self.long == "refuse":
            bounded(self.reader, raw, row, self.long)
        return (row,)


@contextmanager
def warned_of_oddities() -> Iterator[Callable[[Iterable[ReadValue]], None]]:
    """Count what the reader tells of the values that are handed over, and warn of it at the end,
    once of each thing."""
    counts: Counter[str] = Counter()
    total = 0

    def count(values: Iterable[ReadValue]) -> None:
        nonlocal total
        for value in values:
            counts.update(value.odd)
            total += 1

    yield count
    for what, number in counts.most_common(NOTED):
        log.warning("%d of %d values: %s", number, total, what)


def is_many(raw: Any) -> bool:
    """Whether each of these values is to be answered: of a list or an iterator, but of no file."""
    return isinstance(raw, list) or (isinstance(raw, Iterator) and not isinstance(raw, IOBase))
