"""Progress of an experiment: a line for each cell that ends, and how long the rest will take."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from multigraft.contracts.numbers import duration, figure, interval
from multigraft.contracts.report import Measure
from multigraft.experiments.cells import Cell, folder_of
from multigraft.experiments.records import Record, Tested
from multigraft.system.console import watched_console
from multigraft.system.disk import megabytes, size_of
from multigraft.system.notebook import Output, table


@dataclass(frozen=True)
class Update:
    """A cell that ended while an experiment is being computed."""

    cell: Cell
    record: Record | None
    """None where the disk would not take it."""
    unrecorded: str | None
    """What the disk said."""
    done: int
    left: int
    seconds: float
    """Since the first cell of this process began."""
    metric: str | None
    """What is shown; None: what the task is monitored by."""
    folder: Path
    """The experiment's."""

    @property
    def seconds_left(self) -> float:
        """By the pace of those that ended, several at a time counted as they came."""
        return self.seconds / self.done * self.left


Told = Callable[[Update], None]
SHOWN = 12
"""As many of the last cells are shown in a notebook."""


def line_of(update: Update) -> str:
    """An update in one line."""
    rest = f"; about {duration(update.seconds_left)} left" if update.left else ""
    if update.left and update.done == 1:
        rest += f", and {_space(update)}"
    return f"[{update.done}/{update.done + update.left}] {update.cell.key}: {_said(update)}{rest}"


def _space(update: Update) -> str:
    """What the cells to come will take of the disk, by the one that ended."""
    one = size_of(folder_of(update.folder, update.cell.key))
    free = shutil.disk_usage(update.folder).free
    return f"{megabytes(one * update.left)} of the disk's {megabytes(free)}"


def _said(update: Update) -> str:
    record = update.record
    if update.unrecorded is not None or record is None:
        return f"failed: {update.unrecorded or 'its record is damaged'}"
    if record.state == "failed":
        return f"failed: {(record.reason or '').splitlines()[0]}"
    seconds = record.seconds + sum(each.seconds for each in record.tested)
    parts = [*_scores(record, update.metric), duration(seconds)]
    stopped = [record.reason] if record.reason else []
    return ", ".join([*parts, *stopped])


def _scores(record: Record, metric: str | None) -> Iterator[str]:
    """The metric that is shown, on every domain; of a trial its validation."""
    if record.validation is not None and not record.tested:
        yield f"validation {record.monitor} {figure(Measure(record.validation))}"
    for tested in record.tested:
        if tested.reason is not None:
            yield f"{tested.domain} failed: {tested.reason.splitlines()[0]}"
            continue
        found = shown_score(record, tested, metric)
        if found is not None:
            name, measure = found
            yield f"{tested.domain} {name} {figure(measure)} ({interval(measure) or 'alone'})"


def shown_score(record: Record, tested: Tested, metric: str | None) -> tuple[str, Measure] | None:
    """The name and value of the metric that is shown of a run on a domain; None: it has none."""
    wanted = metric or record.monitor
    score = next((each for each in tested.scores if each.metric == wanted), None)
    if score is None or score.value is None:
        return None
    return score.metric, Measure(score.value, score.low, score.high)


def usual_teller() -> Told | None:
    """A line a cell on standard error where that is a terminal, and in a notebook."""
    console = watched_console()
    if console is None:
        return None
    if console.is_jupyter:
        return NotebookLines().tell
    return lambda update: console.print(line_of(update), markup=False, highlight=False)


@dataclass
class NotebookLines:
    """The cells that ended, as one output of a notebook's cell."""

    output: Output = field(default_factory=Output)
    rows: list[tuple[str, ...]] = field(default_factory=list)

    def tell(self, update: Update) -> None:
        """Add a cell, and show them all with a bar."""
        self.rows.append((update.cell.key, _said(update)))
        total = update.done + update.left
        bar = f'<progress value="{update.done}" max="{total}"></progress>'
        rest = f", about {duration(update.seconds_left)} left" if update.left else ""
        said = f"<p>{bar}<small>{update.done} of {total} cells{rest}</small></p>"
        self.output.show(table((("cell", ""), *self.rows[-SHOWN:])) + said, line_of(update))
