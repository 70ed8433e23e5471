"""Progress plugin: a bar on a terminal or in a notebook, one line an epoch or stage elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console as AnyConsole
from rich.errors import LiveError
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from multigraft.evaluation.report.numbers import speed
from multigraft.plugins.hookspecs import hookimpl
from multigraft.system.console import Console
from multigraft.system.rank import leads

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
        self._close()
        self._pace, self._logs = None, {}  # of the run that it showed

    def begin(self, what: str, total: int | None = None) -> None:
        """Open a stage's bar; where none can be, print a line."""
        self._close()
        if self._moves:
            self._bar = _opened(_stage_bar(self.console, what, total))
        else:
            rows = "" if total is None else f": {total:,} rows"
            self._say(f"{what}{rows}")

    def advance(self, count: int) -> None:
        """Move the stage's bar."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    @property
    def _moves(self) -> bool:
        """Whether what was shown can be shown anew: in a notebook ipywidgets does that."""
        widgets = self.console.is_jupyter and find_spec("ipywidgets") is not None
        return self.console.is_terminal or widgets

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    @hookimpl
    def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
        """Move the bar."""
        self.folder = run.folder
        self._logs.update(logs)
        if self._pace is None:
            self._pace = Pace(step, time.monotonic())
            self._bar = _opened(_step_bar(self.console, run, step)) if self._moves else None
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
        self._say("  ".join(parts))

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


def usual_progress() -> Progress | None:
    """Progress where somebody watches: stderr is a terminal, or a notebook's kernel runs; of
    several processes the first one's alone."""
    if not leads():
        return None
    progress = Progress()
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return progress if terminal or progress.console.is_jupyter else None


def _opened(bar: Bar) -> Bar | None:
    """The bar, on the screen; None where the caller's own program has one there already."""
    try:
        bar.start()
    except LiveError:
        return None
    return bar


def _stage_bar(console: AnyConsole, what: str, total: int | None) -> Bar:
    bar = Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        *(() if total is None else (MofNCompleteColumn(), TimeRemainingColumn())),
        console=console,
        expand=True,
        refresh_per_second=4,
    )
    bar.add_task(what, total=total)
    return bar


def _step_bar(console: AnyConsole, run: Run, step: int) -> Bar:
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
    return bar
