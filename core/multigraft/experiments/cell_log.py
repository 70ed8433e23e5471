"""Log of a cell: what our loggers say while it is computed goes to a file of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LINE = "%(asctime)s %(levelname)s %(message)s"


@contextmanager
def logged(path: Path) -> Iterator[None]:
    """Send the "multigraft" logger to the end of a file, and nowhere else, within the block."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(LINE))
    logger = logging.getLogger("multigraft")
    before = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(min(logger.getEffectiveLevel(), logging.INFO))
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
        handler.close()
