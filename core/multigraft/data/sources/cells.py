"""Cells of a text file as columns, and the bytes in it that cannot be decoded."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from multigraft.contracts.formats import UTF8
from multigraft.data.sources.file_signatures import refuse_foreign
from multigraft.errors import DataError, first_line

SCALARS = (str, int, float, bool)
DEEPEST = 100
"""Lists and objects that a value may hold within each other."""


def column(
    values: list[Any], name: str, bad: dict[int, str], first: int = 0, encoding: str = UTF8
) -> pa.Array | list[Any]:
    """Make an Arrow column of values where all are of one plain type, else keep them as they are.

    A value that cannot be decoded, or is nested too deeply to be looked at, becomes None, and its
    row (counted from ``first``) goes to ``bad``.
    """
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and kinds <= set(SCALARS):
        try:
            return pa.array(values, pa.large_string() if kinds == {str} else None)
        except UnicodeEncodeError:
            kept = _without_broken(values, name, bad, first, encoding)
            return column(kept, name, bad, first, encoding)
        except (OverflowError, pa.ArrowInvalid):
            return values  # a whole number beyond 64 bits
    return _without_broken(values, name, bad, first, encoding)


def _without_broken(
    values: list[Any], name: str, bad: dict[int, str], first: int, encoding: str
) -> list[Any]:
    kept = []
    for row, value in enumerate(values, start=first):
        found = _fault(value, encoding)
        if found is not None:
            bad.setdefault(row, f"column {name!r} {found}")
        kept.append(value if found is None else None)
    return kept


def _fault(value: Any, encoding: str) -> str | None:
    """Say why a value cannot be kept, or None; iterative, as a value may be nested deeply."""
    open_values = [(value, 1)]
    while open_values:
        inner, depth = open_values.pop()
        if isinstance(inner, str):
            found = broken(inner)
            if found is not None:
                return f"is not {encoding}: {found}"
        elif isinstance(inner, dict | list):
            if depth > DEEPEST:
                return f"is nested more than {DEEPEST} deep"
            parts = [*inner, *inner.values()] if isinstance(inner, dict) else inner
            open_values += [(each, depth + 1) for each in reversed(parts)]
    return None


def broken(text: str) -> str | None:
    """Find what in a text could not be decoded; None if all could."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        what = (
            f"byte 0x{code - 0xDC00:02x}"
            if 0xDC80 <= code <= 0xDCFF
            else f"half a pair U+{code:04X}"
        )
        return f"{what} after {text[max(0, error.start - 20) : error.start]!r}"
    return None


@contextmanager
def open_text(path: Path, encoding: str = UTF8) -> Iterator[IO[str]]:
    """Open a text; a byte that cannot be decoded is kept as a lone surrogate (see `broken`).

    Its lines end at line feeds, and nowhere else. Raises DataError where it is no text in that
    encoding.
    """
    refuse_foreign(path, encoding)
    codec = "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    try:
        with path.open(encoding=codec, errors="surrogateescape", newline="\n") as text:
            yield text
    except UnicodeError as error:
        raise DataError(
            f"{path.name}: cannot be read as {encoding}: {first_line(error)}"
        ) from error
