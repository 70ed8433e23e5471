"""Values of a text file as columns, and the bytes in it that are not UTF-8."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from multigraft.errors import DataError

SCALARS = (str, int, float, bool)


def column(values: list[Any], name: str, bad: dict[int, str], first: int = 0) -> pa.Array | list[Any]:
    """Values as an Arrow column where all are of one plain type, else as they are.

    Text that cannot be UTF-8 becomes None, and its row (counted from ``first``) goes to ``bad``.
    """
    kinds = {type(value) for value in values if value is not None}
    if len(kinds) <= 1 and kinds <= set(SCALARS):
        try:
            return pa.array(values, pa.large_string() if kinds == {str} else None)
        except UnicodeEncodeError:
            return column(_without_broken(values, name, bad, first), name, bad, first)
        except (OverflowError, pa.ArrowInvalid):
            return values  # a whole number beyond 64 bits
    return _without_broken(values, name, bad, first)


def _without_broken(values: list[Any], name: str, bad: dict[int, str], first: int) -> list[Any]:
    kept = []
    for row, value in enumerate(values, start=first):
        found = broken(value)
        if found is not None:
            bad.setdefault(row, f"column {name!r} is not UTF-8: {found}")
        kept.append(value if found is None else None)
    return kept


def broken(value: Any) -> str | None:
    """What in a value is not UTF-8, where something is."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            code = ord(value[error.start])
            what = f"byte 0x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"half a pair U+{code:04X}"
            return f"{what} after {value[max(0, error.start - 20) : error.start]!r}"
        return None
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return next((found for item in inner if (found := broken(item))), None)


@contextmanager
def open_text(path: Path) -> Iterator[IO[str]]:
    """A file as text in which a byte that is not UTF-8 is kept as one lone surrogate (`broken` finds it)."""
    with path.open("rb") as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(f"{path.name}: is UTF-16; save it as UTF-8")
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        yield text
