"""Progress of a stage as lines for a log, where no bar can be drawn."""

from __future__ import annotations

import time
from collections.abc import Callable

from multigraft.contracts.numbers import duration

EVERY = 30.0
"""Seconds between two lines."""


class StageLines:
    """Says now and then how far a stage is, and of a long one after its first rows how long it will
    take; what is done soon needs no line."""

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._clock = say, clock
        self._what, self._done, self._total = "", 0, 0
        self._began = self._told = clock()

    def begin(self, what: str, total: int | None) -> None:
        """A stage of so many rows, where that is known."""
        self._what, self._done, self._total = what, 0, total or 0
        self._began = self._told = self._clock()

    def advance(self, count: int) -> None:
        """So many more rows of the stage are done."""
        first, now = self._done == 0, self._clock()
        self._done += count
        left = (now - self._began) / max(self._done, 1) * (self._total - self._done)
        if now - self._told >= EVERY or (first and left >= EVERY):
            self._told = now
            behind = f", about {duration(left)} left" if left > 0 else ""
            of = f" of {self._total:,}" if self._total else ""
            self._say(f"{self._what}: {self._done:,}{of} rows{behind}")
