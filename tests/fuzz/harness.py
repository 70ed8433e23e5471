"""Feeds generated bad inputs to a border and keeps count of how it answers.

A border is good where every input is either refused with one of our own errors or accepted with an
answer that holds, within the limits of time and memory. Nothing stops at the first crash: all are
told at the end.
"""

from __future__ import annotations

import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.strategies import SearchStrategy

from multigraft.errors import MultigraftError

SECONDS = 5.0
"""The longest that one input may take."""
MEMORY = 2 * 2**30
"""The most bytes that all inputs of a border may take beyond what stood before."""
ROUNDS = 8
"""Rounds after which no more inputs are generated, whatever share of them was bad."""

SMALLEST = 10
"""Inputs of a round: the first ones that are generated are the simplest, and may all be good."""


class WrongAnswer(Exception):
    """A border accepted an input and gave something that cannot be right."""


class Hang(BaseException):
    """One input took too long. No Exception, so that nothing under test swallows it."""


@dataclass(frozen=True)
class Border:
    """A place where something from outside comes in."""

    name: str
    inputs: SearchStrategy[Any]
    feed: Callable[[Path, Any], object]
    """(folder of this border, input) -> anything; raises MultigraftError, or WrongAnswer."""
    sound: Callable[[], Iterable[Any]]
    """Inputs that must be accepted: a border that refuses everything is none."""
    prepare: Callable[[Path], object] = lambda folder: None
    """Make what all inputs need in the folder, once."""
    peak: Callable[[Path], int] = lambda folder: peak_bytes()
    """The largest resident set so far of the process that is fed, in bytes."""
    end: Callable[[Path], object] = lambda folder: None
    """End what `prepare` began, also where it or the rest failed."""


@dataclass
class Tally:
    """How a border answered."""

    inputs: int = 0
    accepted: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    """By the kind of error."""
    crashes: dict[str, str] = field(default_factory=dict)
    """Place -> error and input, the first of each place."""
    slowest: float = 0.0
    slowest_input: str = ""
    peak_mb: float = 0.0

    @property
    def bad(self) -> int:
        """How many inputs were refused."""
        return sum(self.refused.values())

    def take(self, border: Border, folder: Path, raw: Any) -> None:
        """Feed one input and note what came of it."""
        self.inputs += 1
        started = time.perf_counter()
        try:
            with _limited(SECONDS):
                self._feed(border, folder, raw)
        except Hang:  # a busy machine may have slept; what hangs does so again
            started = time.perf_counter()
            try:
                with _limited(SECONDS):
                    self._feed(border, folder, raw)
            except Hang as error:
                self._crash(error, raw)
        seconds = time.perf_counter() - started
        if seconds > self.slowest:
            self.slowest, self.slowest_input = seconds, shown(raw)

    def _feed(self, border: Border, folder: Path, raw: Any) -> None:
        try:
            border.feed(folder, raw)
            self.accepted += 1
        except MultigraftError as error:
            kind = type(error).__name__
            self.refused[kind] = self.refused.get(kind, 0) + 1
            if not str(error).strip():
                self._crash(error, raw)
        except Exception as error:
            self._crash(error, raw)

    def _crash(self, error: BaseException, raw: Any) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = (
            f"{type(error).__name__} at {'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"
        )
        told = "".join(traceback.format_exception(error, limit=-6))[-2500:]
        self.crashes.setdefault(place, f"{shown(raw)}\n{told}")


def explore(border: Border, folder: Path, *, bad: int, seed: int = 0) -> Tally:
    """Feed generated inputs until ``bad`` of them were refused; the same ones for the same seed."""
    try:
        return _explored(border, folder, bad, seed)
    finally:
        border.end(folder)


def _explored(border: Border, folder: Path, bad: int, seed: int) -> Tally:
    folder.mkdir(parents=True, exist_ok=True)
    border.prepare(folder)
    _accepts(border, folder)
    tally = Tally()
    before = border.peak(folder)
    for number in range(ROUNDS):
        if tally.bad < bad:
            _round(border, folder, tally, max(SMALLEST, bad - tally.bad), seed + number)
    tally.peak_mb = (border.peak(folder) - before) / 2**20
    return tally


def _accepts(border: Border, folder: Path) -> None:
    for raw in border.sound():
        try:
            border.feed(folder, raw)
        except MultigraftError as error:
            raise WrongAnswer(f"a sound input was refused: {shown(raw)}: {error}") from error


def _round(border: Border, folder: Path, tally: Tally, count: int, seed: int) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(border.inputs)
    def feed(raw: Any) -> None:
        tally.take(border, folder, raw)

    feed()


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Hang(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak_bytes() -> int:
    """The largest resident set of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def shown(raw: Any) -> str:
    """An input in a line or a few."""
    text = repr(raw)
    return text if len(text) <= 400 else f"{text[:300]} ... {text[-80:]} ({len(text)} characters)"
