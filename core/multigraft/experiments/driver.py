"""Driver: computes the cells of an experiment that are missing, by one engine or another."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from multigraft.errors import RecipeError, missing_dependency
from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.engines import Engine, Name
from multigraft.experiments.folder import begin, held
from multigraft.experiments.job import Job
from multigraft.experiments.opening import Experiment
from multigraft.experiments.plan import Plan, read_plan
from multigraft.experiments.progress import Told, Update, usual_teller
from multigraft.experiments.records import read_cell_record
from multigraft.experiments.search.phase import searched
from multigraft.experiments.stored_cells import StoredCells, fetch_ended
from multigraft.experiments.turns import Turns
from multigraft.plugins.catalog import Catalog
from multigraft.system.files import whole_path

log = logging.getLogger("multigraft")
OWN_MEMORY = "memory://"
EVERY = 2.0
"""Seconds, at least, between two writings of the table while cells end."""


def experiment(
    grid: Mapping[str, Any] | str | Path,
    *,
    output: str | Path | None = None,
    workers: int | None = None,
    engine: Name = "processes",
    address: str | None = None,
    storage: str | None = None,
    retry: bool = False,
    plugins: Sequence[object] = (),
    tell: Told | None = None,
    quiet: bool = False,
) -> Experiment:
    """Compute what is missing of an experiment: a grid, or the path of its file.

    Called again, also after a kill, it goes on where it was: cells that ended are left as they are,
    and ``retry`` takes up those again that failed. ``workers`` and ``output`` go before the grid's.
    ``engine`` is ``processes``, of this machine, or ``ray``, whose cluster has an ``address``, as
    ``auto``. ``storage`` is a URL that fsspec opens, where cells lie while they are made, each
    stored at every checkpoint, so that machines need share no disk; the experiment's folder gets
    them as they end. ``plugins`` are plugin objects for the runs, with one worker alone; ``tell``
    is told of each cell that ends; unset, and unless ``quiet``, lines are written where stderr is a
    terminal. A cell that fails keeps none from ending: see `Experiment.problems`.

    Raises RecipeError with every mistake in the grid, RunError where another process is at work in
    the folder, the data changed since, or no trial of a search ended well, MissingDependency where
    a search lacks Optuna, or the engine Ray.
    """
    catalog = Catalog(plugins)
    plan = read_plan(grid, catalog)
    asked = Engine(
        name=engine,
        workers=workers or plan.grid.workers,
        gpus=plan.grid.gpus,
        address=address,
        storage=storage,
        plugins=plugins,
    )
    _check(asked, plan)
    _need(*(["optuna"] if plan.studies else []), *(["ray"] if engine == "ray" else []))
    found = prepared(plan, grid, output)
    said = tell or (None if quiet else usual_teller())
    with held(found.folder):
        asked = replace(asked, threads=begin(found.folder, plan, asked.sharing))
        if plan.studies:
            plan = searched(plan, found.folder, asked, catalog, said)
            begin(found.folder, plan, asked.sharing)
            found.cells = [run.cell for run in plan.runs]
        _compute(found, plan, asked, retry=retry, tell=said)
    return found


def _check(asked: Engine, plan: Plan) -> None:
    """Raise RecipeError for what an engine cannot do."""
    if asked.name not in get_args(Name):
        raise RecipeError([f"engine: found {asked.name!r}; allowed: {', '.join(get_args(Name))}"])
    if asked.plugins and (asked.workers > 1 or asked.name == "ray"):
        raise RecipeError(
            ["plugins: objects cannot be given to other processes; use one worker, or install them"]
        )
    if asked.address is not None and asked.name != "ray":
        raise RecipeError(["address: is that of a cluster; give it with engine ray"])
    if asked.storage is not None:
        _check_storage(asked, plan)


def _check_storage(asked: Engine, plan: Plan) -> None:
    """Raise RecipeError for storage that no other process could see, or that a search lacks."""
    found = str(asked.storage)
    if "://" not in found:
        raise RecipeError(
            [f"storage: found {found!r}; it should be a URL, as s3://bucket/folder or file:///disk"]
        )
    if found.startswith(OWN_MEMORY) and (asked.workers > 1 or asked.name == "ray"):
        raise RecipeError([f"storage: {found} is in this process alone; name another"])
    search = plan.grid.search
    if search is not None and search.storage is None and asked.name == "ray":
        raise RecipeError(
            [
                "search.storage: is missing; with storage by URL nodes see no file of this machine,"
                " so give the address of a database, as postgresql://host/name"
            ]
        )


def _need(*libraries: str) -> None:
    """Raise MissingDependency, with the extra that brings it, for what is not installed."""
    for library in libraries:
        missing = missing_dependency(ModuleNotFoundError(name=library))
        if missing is not None and find_spec(library) is None:
            raise missing


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
    found: Experiment, plan: Plan, asked: Engine, *, retry: bool, tell: Told | None
) -> None:
    """Make what is missing, tell of it, and keep the table up to date."""
    job = partial(Job.of, plan=plan, folder=found.folder, threads=asked.threads)
    if asked.storage is not None:
        fetch_ended(StoredCells(asked.storage, found.folder), [job(run) for run in plan.runs])
    runs = waiting(found, plan, retry=retry)
    table = Table(found)
    engine = asked.start(found.folder, job, len(runs))
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
