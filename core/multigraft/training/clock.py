"""Time accounting: the seconds of a training in steps, and in waiting for data."""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from multigraft.training.checkpoint.progress import Progress


class Clock:
    """Counts between `start` and `stop`; what was counted goes into a `Progress`."""

    def __init__(self) -> None:
        self._began = 0.0
        self._waited = 0.0
        self._last = 0.0
        self._steps: deque[float] = deque(maxlen=5)

    def start(self) -> None:
        """Begin to count."""
        self._began = self._last = time.perf_counter()
        self._waited = 0.0

    def stop(self, progress: Progress) -> None:
        """Add what passed since `start`."""
        progress.seconds += self.running()
        progress.waited += self._waited

    def running(self) -> float:
        """Seconds since `start`."""
        return time.perf_counter() - self._began

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the time of the block as spent waiting for data."""
        began = time.perf_counter()
        yield
        self._waited += time.perf_counter() - began

    def stepped(self) -> None:
        """A step ended."""
        now = time.perf_counter()
        self._steps.append(now - self._last)
        self._last = now

    def step_seconds(self) -> float:
        """The median time of the last steps."""
        return statistics.median(self._steps) if self._steps else 0.0
