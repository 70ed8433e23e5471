"""Progress plugin: a bar on a terminal, one line an epoch in a pipe."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console as AnyConsole
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from multigraft.cli.console import Console
from multigraft.evaluation.report.numbers import speed
from multigraft.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from multigraft.runs.run import Run


class Progress:
    """Shows how a run is getting on. Hand it to a verb as a plugin, inside a ``with``.

    >>> with Progress() as progress:                                           # doctest: +SKIP
    ...     mg.finetune("recipe.yaml", plugins=[progress])
    """

    def __init__(self, console: AnyConsole | None = None) -> None:
        self.console = console or Console(stderr=True)
        self.folder: Path | None = None
        """Of the run that is shown; None before its first step."""
        self._bar: Bar | None = None
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
        if self._bar is not None:
            self._bar.stop()

    @hookimpl
    def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
        """Move the bar."""
        self.folder = run.folder
        self._logs.update(logs)
        if self._pace is None:
            self._pace = Pace(step, time.monotonic())
            self._bar = _open_bar(self.console, run, step) if self.console.is_terminal else None
        self._pace.mark(step, time.monotonic())
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=step, **self._fields(run))

    @hookimpl
    def epoch_end(self, run: Run, epoch: int, metrics: Mapping[str, float]) -> None:
        """Say how the validation went."""
        told = {"loss": self._logs.get("loss")}
        told |= {
            f"validation {name}": metrics.get(name) for name in ("loss", run.objective.monitor)
        }
        parts = [f"epoch {epoch}"]
        parts += [f"{name} {value:.4g}" for name, value in told.items() if value is not None]
        if self._pace is not None:
            total = f"/{run.total_steps}" if run.total_steps else ""
            parts += [f"step {self._pace.step}{total}", *self._speed(run)]
            self._pace.rest(time.monotonic())
        self.console.print("  ".join(parts), markup=False, highlight=False, soft_wrap=True)

    def _fields(self, run: Run) -> dict[str, Any]:
        numbers = [f"{name} {value:.3g}" for name, value in self._shown().items()]
        return {"epoch": len(run.history) + 1, "numbers": "  ".join([*numbers, *self._speed(run)])}

    def _shown(self) -> dict[str, float]:
        """What the logs hold of loss and rate, under short names."""
        names = {"loss": "loss", "learning_rate": "rate"}
        return {short: self._logs[name] for name, short in names.items() if name in self._logs}

    def _speed(self, run: Run) -> list[str]:
        pace = None if self._pace is None else self._pace.steps_per_second()
        if pace is None:
            return []
        training = run.recipe.training
        return [speed(pace * training.batch_size * training.accumulation)]


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


def _open_bar(console: AnyConsole, run: Run, step: int) -> Bar:
    bar = Bar(
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
        console=console,
        expand=True,
        refresh_per_second=4,
    )
    bar.add_task("", total=run.total_steps or None, completed=step, epoch=1, numbers="")
    bar.start()
    return bar
