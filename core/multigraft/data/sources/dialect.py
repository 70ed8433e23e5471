"""How the text of a file of rows is written, as far as the file itself cannot say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quotes = Literal["auto", "on", "off"]
UTF8 = "UTF-8"


@dataclass(frozen=True)
class Layout:
    """What a recipe says about its files of text."""

    encoding: str = UTF8
    quotes: Quotes = "auto"
    """Whether quotes enclose a cell of a CSV file, or are text like any other sign.

    ``auto``: they enclose, but where tabs separate the cells, and the header is not quoted either.
    """


PLAIN = Layout()
