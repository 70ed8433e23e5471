"""Log handler: records as lines on a console, above a progress bar where one is shown."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from multigraft.system.terminal import harmless

if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    logging.WARNING: "yellow",
    logging.ERROR: "red",
    logging.CRITICAL: "red",
    logging.DEBUG: "dim",
}


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
