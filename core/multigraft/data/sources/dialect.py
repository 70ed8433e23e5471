"""Dialect of a text file of rows: encoding and quotes, as far as the file cannot say them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quotes = Literal["auto", "on", "off"]
UTF8 = "UTF-8"


@dataclass(frozen=True)
class Layout:
    """Layout of text files, as a recipe says it."""

    encoding: str = UTF8
    quotes: Quotes = "auto"
    """Whether quotes enclose a cell of a CSV file, or are text like any other sign.

    ``auto``: they enclose, but where tabs separate the cells, and the header is not quoted either.
    """


PLAIN = Layout()
