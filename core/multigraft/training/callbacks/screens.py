"""Screens of progress: rich's bars on a terminal, lines in a pipe; a notebook has one of its
own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from rich.console import Console
from rich.errors import LiveError
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from multigraft.training.callbacks.notebook_screen import NotebookScreen
from multigraft.training.callbacks.stage_lines import StageLines


class Screen(Protocol):
    """Shows one bar at a time, and what is told between."""

    def begin(self, what: str, total: int | None) -> None:
        """A stage of so many rows, where that is known; it ends the bar before."""
        ...

    def advance(self, count: int) -> None:
        """So many more rows of the stage."""
        ...

    def train(self, total: int | None, step: int) -> None:
        """A training of so many steps, which goes on from one of them."""
        ...

    def step(self, step: int, epoch: int, numbers: str) -> None:
        """Where the training is."""
        ...

    def tell(self, parts: Mapping[str, str]) -> None:
        """What an epoch came to: name -> figure; without a name the figure says it."""
        ...

    def close(self) -> None:
        """End the bar."""
        ...


def screen_of(console: Console) -> Screen:
    """The screen for a console."""
    return NotebookScreen() if console.is_jupyter else TerminalScreen(console)


class TerminalScreen:
    """Bars that are drawn anew on a terminal; one line each where nothing can be."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Bar | None = None
        self._lines = StageLines(self._say)

    def begin(self, what: str, total: int | None) -> None:
        """Open the stage's bar; where none can be, print a line."""
        self.close()
        if self._console.is_terminal:
            self._bar = _opened(_stage_bar(self._console, what, total))
        else:
            self._say(what if total is None else f"{what}: {total:,} rows")
            self._lines.begin(what, total)

    def advance(self, count: int) -> None:
        """Move the stage's bar; where none can be, print a line now and then."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0], count)
        elif not self._console.is_terminal:
            self._lines.advance(count)

    def train(self, total: int | None, step: int) -> None:
        """Open the training's bar; where none can be, epochs are told."""
        self.close()
        if self._console.is_terminal:
            self._bar = _opened(_step_bar(self._console, total, step))

    def step(self, step: int, epoch: int, numbers: str) -> None:
        """Move the training's bar."""
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=step, epoch=epoch, numbers=numbers)

    def tell(self, parts: Mapping[str, str]) -> None:
        """Print a line."""
        self._say("  ".join(f"{name} {figure}".strip() for name, figure in parts.items()))

    def close(self) -> None:
        """Leave the bar as it is, and give the cursor back."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def _opened(bar: Bar) -> Bar | None:
    """The bar, on the screen; None where the caller's own program has one there already."""
    try:
        bar.start()
    except LiveError:
        return None
    return bar


def _stage_bar(console: Console, what: str, total: int | None) -> Bar:
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


def _step_bar(console: Console, total: int | None, step: int) -> Bar:
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
    bar.add_task("", total=total, completed=step, epoch=1, numbers="")
    return bar
