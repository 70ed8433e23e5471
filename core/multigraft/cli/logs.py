"""Log records as lines on a console, above a progress bar where one is shown."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {logging.WARNING: "yellow", logging.ERROR: "red", logging.CRITICAL: "red", logging.DEBUG: "dim"}


CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Signs that move the cursor, recolour the screen or turn the reading direction."""


def harmless(text: str) -> str:
    """A text from anywhere as a terminal may show it: control characters as their codes.

    >>> harmless("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return CONTROL.sub(lambda sign: ascii(sign[0])[1:-1], text)


class ConsoleHandler(logging.Handler):
    """Prints a record as its message; a warning or worse with its level in front."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        text = self.format(record)
        if record.levelno >= logging.WARNING:
            text = f"{record.levelname.lower()}: {text}"
        self.console.print(
            harmless(text),
            markup=False,
            highlight=False,
            soft_wrap=True,
            style=STYLES.get(record.levelno, ""),
        )
