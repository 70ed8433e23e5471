"""Driver: computes the cells of an experiment that are missing, by one engine or another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from multigraft.errors import RecipeError
from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.folder import begin, held
from multigraft.experiments.job import Ended, Job, work
from multigraft.experiments.opening import Experiment
from multigraft.experiments.plan import Plan, read_plan
from multigraft.experiments.processes import Processes
from multigraft.experiments.progress import Told, Update, usual_teller
from multigraft.experiments.records import read_cell_record
from multigraft.experiments.turns import Turns
from multigraft.plugins.catalog import Catalog
from multigraft.system.files import whole_path

log = logging.getLogger("multigraft")
EVERY = 2.0
"""Seconds, at least, between two writings of the table while cells end."""


class Workers(Protocol):
    """An engine: what trains the cells."""

    def run(self, turns: Turns) -> Generator[Ended]:
        """Make every cell, and tell of each as it ends."""
        ...


def experiment(
    grid: Mapping[str, Any] | str | Path,
    *,
    output: str | Path | None = None,
    workers: int | None = None,
    retry: bool = False,
    plugins: Sequence[object] = (),
    tell: Told | None = None,
    quiet: bool = False,
) -> Experiment:
    """Compute what is missing of an experiment: a grid, or the path of its file.

    Called again, also after a kill, it goes on where it was: cells that ended are left as they are,
    and ``retry`` takes up those again that failed. ``workers`` and ``output`` go before the grid's.
    ``plugins`` are plugin objects for the runs, with one worker alone; ``tell`` is told of each
    cell that ends; unset, and unless ``quiet``, lines are written where stderr is a terminal. A
    cell that fails keeps none from ending: see `Experiment.problems`. Raises RecipeError with every
    mistake in the grid, RunError where another process is at work in the folder or the data changed
    since.
    """
    plan = read_plan(grid, Catalog(plugins))
    count = workers or plan.grid.workers
    if plugins and count > 1:
        raise RecipeError(
            ["plugins: objects cannot be given to other processes; use one worker, or install them"]
        )
    found = prepared(plan, grid, output)
    said = tell or (None if quiet else usual_teller())
    with held(found.folder):
        threads = begin(found.folder, plan, count)
        _compute(found, plan, count=count, threads=threads, retry=retry, plugins=plugins, tell=said)
    return found


def prepared(plan: Plan, grid: Any, output: str | Path | None) -> Experiment:
    """The experiment of a plan, in the folder that is asked for; nothing is written."""
    named = output or plan.grid.output
    if named is None:
        if not isinstance(grid, str | Path):
            raise RecipeError(["output: is missing; name the experiment's folder"], source="grid")
        named = Path("experiments") / Path(grid).stem
    return Experiment.of(plan, whole_path(named))


def waiting(found: Experiment, plan: Plan, *, retry: bool) -> list[PlannedRun]:
    """The runs that are still to be computed, in order."""
    records = found.records()
    return [
        run for run in plan.runs if run.key not in records or (retry and records[run.key].problems)
    ]


def _compute(
    found: Experiment,
    plan: Plan,
    *,
    count: int,
    threads: int,
    retry: bool,
    plugins: Sequence[object],
    tell: Told | None,
) -> None:
    """Make what is missing, tell of it, and keep the table up to date."""
    runs = waiting(found, plan, retry=retry)
    table = Table(found)
    engine = _engine(found, plan, min(count, len(runs)), threads, plugins)
    planned, began = {run.key: run for run in runs}, time.monotonic()
    try:
        with closing(engine.run(Turns(runs))) as events:
            for done, ended in enumerate(events, 1):
                if ended.unrecorded is not None:
                    found.unrecorded[ended.key] = ended.unrecorded
                if tell is not None:
                    update = Update(
                        cell=planned[ended.key].cell,
                        record=read_cell_record(found.folder, ended.key),
                        unrecorded=ended.unrecorded,
                        done=done,
                        left=len(runs) - done,
                        seconds=time.monotonic() - began,
                        metric=found.metric,
                        folder=found.folder,
                    )
                    tell(update)
                table.write()
    finally:
        table.write(now=True)
    table.write_page()


def _engine(
    found: Experiment, plan: Plan, count: int, threads: int, plugins: Sequence[object]
) -> Workers:
    def job(run: PlannedRun) -> Job:
        return Job.of(run, plan, found.folder, threads)

    if count > 1:
        return Processes(found.folder, count=count, threads=threads, job=job)
    return InProcess(job, plugins)


@dataclass(frozen=True)
class InProcess:
    """Engine of one worker: this process."""

    job: Callable[[PlannedRun], Job]
    plugins: Sequence[object] = ()

    def run(self, turns: Turns) -> Generator[Ended]:
        """Make one cell after another."""
        while (run := turns.take()) is not None:
            ended = work(self.job(run), self.plugins)
            turns.ended(run.key)
            yield ended


@dataclass
class Table:
    """The table in an experiment's folder, written now and then while cells end."""

    found: Experiment
    written: float = float("-inf")

    def write(self, *, now: bool = False) -> None:
        """Write it where it is due; a disk that does not take it is told, and no more."""
        if not now and time.monotonic() - self.written < EVERY:
            return
        try:
            self.found.write()
        except OSError as error:
            log.warning("%s: cannot be written: %s", self.found.folder, error.strerror or error)
        self.written = time.monotonic()

    def write_page(self) -> None:
        """Write the page that shows it; told as above."""
        from multigraft.experiments.page import write_page

        try:
            write_page(self.found)
        except OSError as error:
            log.warning("%s: cannot be written: %s", self.found.folder, error.strerror or error)
