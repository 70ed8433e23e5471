"""Order of the cells: side by side, but one after another where they share a frozen part."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from multigraft.experiments.cells import PlannedRun


class Queue(Protocol):
    """What an engine takes runs from."""

    def take(self) -> PlannedRun | None:
        """The next run that may be trained now; None where none may."""
        ...

    def ended(self, key: str) -> None:
        """A run has ended, well or not."""
        ...

    def again(self, key: str) -> None:
        """A run was cut short and is to be taken up first."""
        ...

    @property
    def left(self) -> int:
        """How many wait or are being trained."""
        ...


class Turns:
    """Hands out cells in the order of the plan; those of one turn only when the last has ended."""

    def __init__(self, runs: Iterable[PlannedRun]) -> None:
        self._waiting = list(runs)
        self._running: dict[str, PlannedRun] = {}

    def take(self) -> PlannedRun | None:
        """The next cell that may be trained now; None where none may."""
        busy = {run.turn for run in self._running.values()} - {None}
        for place, run in enumerate(self._waiting):
            if run.turn not in busy:
                self._running[run.key] = self._waiting.pop(place)
                return run
        return None

    def ended(self, key: str) -> None:
        """A cell has ended, well or not."""
        del self._running[key]

    def again(self, key: str) -> None:
        """A cell was cut short and is to be taken up first."""
        self._waiting.insert(0, self._running.pop(key))

    @property
    def left(self) -> int:
        """How many wait or are being trained."""
        return len(self._waiting) + len(self._running)
