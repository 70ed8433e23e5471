"""Progress plugin: a bar on a terminal or in a notebook, one line an epoch or stage elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console as AnyConsole

from multigraft.contracts.numbers import speed
from multigraft.plugins.hookspecs import hookimpl
from multigraft.system.console import Console, watched_console
from multigraft.system.rank import leads
from multigraft.training.callbacks.screens import Screen, screen_of

if TYPE_CHECKING:
    from multigraft.runs.run import Run


class Progress:
    """Shows how a run is getting on: a plugin of the verbs that train, a `Display` of the others.

    >>> with Progress() as progress:                                           # doctest: +SKIP
    ...     mg.finetune("recipe.yaml", plugins=[progress])
    """

    def __init__(self, console: AnyConsole | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.folder: Path | None = None
        """Of the run that is shown; None before its first step."""
        self._screen: Screen = screen_of(self.console)
        self._pace: Pace | None = None
        self._logs: dict[str, float] = {}

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._screen.close()
        self._pace, self._logs = None, {}  # of the run that it showed

    def begin(self, what: str, total: int | None = None) -> None:
        """Open a stage's bar; where none can be, print a line."""
        self._screen.begin(what, total)

    def advance(self, count: int) -> None:
        """Move the stage's bar."""
        self._screen.advance(count)

    @hookimpl
    def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
        """Move the bar."""
        self.folder = run.folder
        self._logs.update(logs)
        if self._pace is None:
            self._pace = Pace(step, time.monotonic())
            self._screen.train(run.total_steps or None, step)
        self._pace.mark(step, time.monotonic())
        numbers = [f"{name} {value:.3g}" for name, value in self._shown().items()]
        told = [*numbers, self._speed(run)]
        self._screen.step(step, len(run.history) + 1, "  ".join(filter(None, told)))

    @hookimpl
    def epoch_end(self, run: Run, epoch: int, metrics: Mapping[str, float]) -> None:
        """Say how the validation went."""
        told = {"loss": self._logs.get("loss")}
        told |= {
            f"validation {name}": metrics.get(name) for name in ("loss", run.objective.monitor)
        }
        parts = {"epoch": str(epoch)}
        parts |= {name: f"{value:.4g}" for name, value in told.items() if value is not None}
        if self._pace is not None:
            total = f"/{run.total_steps}" if run.total_steps else ""
            parts["step"] = f"{self._pace.step}{total}"
            parts[""] = self._speed(run)
            self._pace.rest(time.monotonic())
        self._screen.tell({name: figure for name, figure in parts.items() if figure})

    def _shown(self) -> dict[str, float]:
        """What the logs hold of loss and rate, under short names."""
        names = {"loss": "loss", "learning_rate": "rate"}
        return {short: self._logs[name] for name, short in names.items() if name in self._logs}

    def _speed(self, run: Run) -> str:
        """Rows a second; empty before it is known."""
        pace = None if self._pace is None else self._pace.steps_per_second()
        if pace is None:
            return ""
        training = run.recipe.training
        return speed(pace * training.batch_size * training.accumulation)


@dataclass
class Pace:
    """Steps a second: the first step's time is not known, and validation does not count."""

    first: int
    began: float
    step: int = 0
    now: float = 0.0

    def mark(self, step: int, now: float) -> None:
        """A step ended."""
        self.step, self.now = step, now

    def rest(self, now: float) -> None:
        """Leave out the time since the last step."""
        self.began += now - self.now
        self.now = now

    def steps_per_second(self) -> float | None:
        """None before the second step."""
        done, took = self.step - self.first, self.now - self.began
        return done / took if done > 0 and took > 0 else None


def usual_progress() -> Progress | None:
    """Progress where somebody watches: stderr is a terminal, or a notebook's kernel runs; of
    several processes the first one's alone."""
    console = watched_console() if leads() else None
    return None if console is None else Progress(console)
