"""Cells of a table: what one holds, as a number, a category or a date, or nothing at all."""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any

MISSING = frozenset({"", "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "?"})
"""What people and programs write where there is nothing, in small letters."""
NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
DATE = re.compile(
    r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
    r"(?:[T ](\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)? ?(Z|[+-]\d{2}:?\d{2})?)?"
)
EPOCH = datetime(1970, 1, 1)
DAY = 86_400.0
LONGEST = 200
"""The most letters of a category; a longer text is told by its beginning."""


def plain(value: Any) -> Any:
    """A value of numpy or pandas as Python's; None for what stands for nothing.

    >>> plain(" n/a "), plain(float("nan")), plain("wool")
    (None, None, 'wool')
    """
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, str):
        return None if value.strip().lower() in MISSING else value
    return None if value is None or _is_void(value) else value


def _is_void(value: Any) -> bool:
    """Tell NaN, and pandas' NaT and NA."""
    if isinstance(value, Real | Decimal):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType")


def number_in(value: Any) -> float | None:
    """The number that a cell holds; None where it holds another thing.

    >>> number_in("1e3"), number_in(True), number_in("1_000"), number_in("many")
    (1000.0, 1.0, None, None)
    """
    if isinstance(value, str):
        text = value.strip()
        return float(text) if text.isascii() and NUMBER.fullmatch(text) else None
    if not isinstance(value, Real | Decimal):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf


def category_in(value: Any) -> str | None:
    """The category that a cell holds as text, ``3`` for 3 and for 3.0; None for what is no single
    value.

    >>> category_in(3.0), category_in(True), category_in(" wool "), category_in([1])
    ('3', 'True', 'wool', None)
    """
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value.strip())[:LONGEST]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):
        return value.isoformat()
    return str(value) if isinstance(value, Real | Decimal) else None


def date_in(value: Any) -> datetime | None:
    """The date that a cell holds, in UTC where it names a zone; None where it holds none.

    >>> date_in("2024-02-29"), date_in("2023-02-29"), date_in("29.2.2024")
    (datetime.datetime(2024, 2, 29, 0, 0), None, None)
    """
    if isinstance(value, str):
        return _written_date(value.strip())
    if isinstance(value, datetime):
        day, time = (value.year, value.month, value.day), (value.hour, value.minute, value.second)
        return _in_utc(datetime(*day, *time, tzinfo=value.tzinfo))
    return datetime(value.year, value.month, value.day) if isinstance(value, date) else None


def _written_date(text: str) -> datetime | None:
    found = DATE.fullmatch(text)
    if found is None:
        return None
    *parts, zone = found.groups()
    try:
        moment = datetime(*(int(part or 0) for part in parts))  # type: ignore[arg-type]
        offset = datetime.fromisoformat(f"2000-01-01T00:00{zone}").tzinfo if zone else None
    except ValueError:
        return None
    return _in_utc(moment.replace(tzinfo=offset))


def _in_utc(moment: datetime) -> datetime | None:
    if moment.tzinfo is None:
        return moment
    try:
        return moment.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return None


def days(moment: datetime) -> float:
    """Days since 1970, with the time as a fraction.

    >>> days(datetime(1970, 1, 2, 12))
    1.5
    """
    return (moment - EPOCH).total_seconds() / DAY


def kind_of_cell(value: Any) -> str:
    """What a cell is, in words for a person.

    >>> kind_of_cell(b"..."), kind_of_cell("wool"), kind_of_cell([1])
    ('bytes, as of a file', "'wool'", 'a list')
    """
    if isinstance(value, bytes | bytearray | memoryview):
        return "bytes, as of a file"
    if isinstance(value, str | Real | Decimal | date):
        return repr(value if not isinstance(value, date) else value.isoformat())[:60]
    names = {"dict": "an object", "list": "a list", "tuple": "a list", "ndarray": "an array"}
    return names.get(type(value).__name__, f"a {type(value).__name__}")
