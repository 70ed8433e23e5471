"""Search phase of an experiment: trials first, then a plan of the runs that they chose."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from multigraft.errors import RunError, refused_as
from multigraft.experiments.cells import PlannedRun, planned_run
from multigraft.experiments.engines import Engine
from multigraft.experiments.folder import SEARCH
from multigraft.experiments.job import Job
from multigraft.experiments.plan import Plan
from multigraft.experiments.progress import Told, Update
from multigraft.experiments.records import read_cell_record
from multigraft.experiments.search.optuna_study import OptunaStudy, grid_size
from multigraft.experiments.search.outcome import (
    Tried,
    best_of,
    by_study,
    chosen_of,
    read_trials,
    write_trials,
)
from multigraft.experiments.search.space import Search
from multigraft.experiments.search.studies import PlannedStudy
from multigraft.experiments.search.trials import Course, Trials
from multigraft.experiments.values import Combination
from multigraft.plugins.catalog import Catalog
from multigraft.system.files import check_plain, write_json

DATABASE, ASKED = "optuna.db", "search.json"
ASKED_BYTES = 2**24


def searched(plan: Plan, folder: Path, engine: Engine, catalog: Catalog, tell: Told | None) -> Plan:
    """The plan with the runs that its searches chose, after the trials that are missing.

    Raises RunError where every trial of a search failed.
    """
    search = plan.grid.search
    if search is None:
        return plan
    trials = _Phase(plan, search, folder, catalog).run(engine, tell)
    finals = [
        planned
        for study in plan.studies
        for planned in _finals(plan, study, by_study(trials).get(study.name, []), catalog)
    ]
    return replace(plan, runs=(*finals, *plan.runs), studies=())


def _finals(
    plan: Plan, study: PlannedStudy, trials: Sequence[Tried], catalog: Catalog
) -> list[PlannedRun]:
    """A run with each seed, of the best that a search found."""
    best = best_of(trials)
    assert plan.grid.search is not None
    if best is None:
        reason = next((each.reason for each in trials if each.reason), "no trial ended")
        raise RunError(f"search of {study.name}: none of {len(trials)} trials ended well: {reason}")
    drawn = chosen_of(plan.grid.search, best.drawn)
    return [planned_run(plan.grid, each, drawn, catalog) for each in study.finals]


def _read(path: Path) -> dict[str, Any]:
    with refused_as(RunError, f"{path}: cannot be read"):
        check_plain(path, limit=ASKED_BYTES)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {"asked": found["asked"], "examples": dict(found["examples"])}


class _Phase:
    """Trials of every study, as an engine makes them."""

    def __init__(self, plan: Plan, search: Search, folder: Path, catalog: Catalog) -> None:
        self._plan, self._search, self._catalog = plan, search, catalog
        self._root, self._folder = folder, folder / SEARCH
        self._folder.mkdir(parents=True, exist_ok=True)
        self._check_same()
        self._tried = {(each.study, each.number): each for each in read_trials(folder)}
        self._new: list[Tried] = []

    def run(self, engine: Engine, tell: Told | None) -> list[Tried]:
        """Make the trials that are missing; every one that ended."""
        trials = Trials(
            [self._course(study) for study in self._plan.studies],
            self._made,
            lambda key: read_cell_record(self._folder, key),
            self._keep,
        )

        def job(run: PlannedRun) -> Job:
            planned = replace(self._plan, domains=())
            made = Job.of(run, planned, self._folder, engine.threads)
            return replace(made, keep="scores", trial=trials.place(run.key))

        workers = engine.start(self._folder, job, trials.left)
        began, done = time.monotonic(), 0
        with closing(workers.run(trials)) as events:
            for ended in events:
                done += 1
                if tell is not None:
                    tell(self._update(ended.key, ended.unrecorded, done, trials.left, began))
        write_trials(self._root, list(self._tried.values()))
        return list(self._tried.values())

    def _check_same(self) -> None:
        """Write down what is searched. Raises RunError where it was begun with something else:
        what other spaces or recipes reached says nothing here."""
        path = self._folder / ASKED
        examples = {each.name: each.example.key for each in self._plan.studies}
        asked = self._search.model_dump(mode="json", exclude={"trials"})
        before: dict[str, Any] = _read(path) if path.exists() else {}
        known = before.get("examples", {})
        changed = [name for name, key in examples.items() if known.get(name, key) != key]
        if before and (before["asked"] != asked or changed):
            raise RunError(
                f"{self._root}: its search was begun with another "
                f"{'recipe' if changed else 'space or sampler'}; put it back, or name another "
                "output"
            )
        write_json(path, {"asked": asked, "examples": {**known, **examples}})

    def _course(self, study: PlannedStudy) -> Course:
        storage = self._search.storage or f"sqlite:///{self._folder / DATABASE}"
        epochs = study.example.recipe["training"]["epochs"]
        varies = "training.epochs" in self._search.space
        found = OptunaStudy(self._search, storage, study.name, None if varies else epochs)
        count = self._search.trials
        if self._search.sampler == "grid":
            count = min(count, grid_size(self._search))
        return Course(study, found, count)

    def _made(self, study: PlannedStudy, drawn: Combination) -> PlannedRun:
        return planned_run(self._plan.grid, study.base, drawn, self._catalog)

    def _keep(self, found: Tried) -> None:
        """Write a trial down as soon as its study was told."""
        self._tried[found.study, found.number] = found
        self._new.append(found)
        write_trials(self._root, list(self._tried.values()))

    def _update(
        self, key: str, unrecorded: str | None, done: int, left: int, began: float
    ) -> Update:
        study = next(each.study for each in reversed(self._new) if each.key == key)
        example = next(each.example for each in self._plan.studies if each.name == study)
        return Update(
            cell=replace(example.cell, key=key),
            record=read_cell_record(self._folder, key),
            unrecorded=unrecorded,
            done=done,
            left=left,
            seconds=time.monotonic() - began,
            metric=None,
            folder=self._folder,
        )
