"""Summary of cells: those that differ by their seed alone are one system, with one interval."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.errors import RunError
from multigraft.evaluation.statistics import (
    Estimate,
    Standing,
    System,
    compare_systems,
    difference_of,
    estimate_of,
    over_seeds,
)
from multigraft.experiments.cells import Cell, folder_of
from multigraft.experiments.combinations import DATA
from multigraft.experiments.opening import Experiment
from multigraft.experiments.records import Record, Score, Tested
from multigraft.runs.compare_metrics import LOWER
from multigraft.runs.row_results import RowResults, read_results

log = logging.getLogger("multigraft")
CLOSE = 1e-9
NAMELESS = "the recipe"
"""What cells are called where nothing else varies."""


@dataclass(frozen=True)
class Group:
    """Cells that differ by their seed alone."""

    varied: Mapping[str, Any]
    """Field -> value, the seed apart."""
    data: str | None
    scratch: bool
    cells: tuple[Cell, ...]

    @property
    def left_out(self) -> str | None:
        """The domain that it never learns from and is tested on; None: it leaves none out."""
        return self.cells[0].left_out

    @property
    def name(self) -> str:
        """What it has of all that varies but the data; empty where nothing else does."""
        return ", ".join(_said(name, value) for name, value in self.varied.items() if name != DATA)

    @property
    def whole_name(self) -> str:
        """The same with what it learns from."""
        return ", ".join(filter(None, (self.data, self.name))) or NAMELESS


@dataclass(frozen=True)
class Point:
    """A group's metric on one domain."""

    group: Group
    domain: str
    estimate: Estimate


def _said(name: str, value: Any) -> str:
    short = name.rpartition(".")[2]
    return f"{short} {value}" if isinstance(value, int | float) or value is None else str(value)


class Summary:
    """What an experiment's records say of one metric."""

    def __init__(self, found: Experiment, records: Mapping[str, Record] | None = None) -> None:
        self.experiment = found
        self.records = found.records() if records is None else records
        self._read: dict[Path, RowResults | None] = {}
        self._systems: dict[tuple[str, str], System | None] = {}

    @cached_property
    def metric(self) -> str | None:
        """What is shown: the experiment's metric, else what the task is monitored by; None: nothing
        was measured yet."""
        if self.experiment.metric is not None:
            return self.experiment.metric
        return self.monitor

    @property
    def monitor(self) -> str | None:
        """What the task is monitored by; None: no cell has ended yet."""
        return next((each.monitor for each in self.records.values() if each.monitor), None)

    @cached_property
    def greater_is_better(self) -> bool:
        """Whether larger values of the metric are better: as the task says of its own."""
        told = next((each for each in self.records.values() if each.monitor == self.metric), None)
        if told is not None:
            return told.greater_is_better
        return LOWER.search(str(self.metric)) is None

    @cached_property
    def metrics(self) -> list[str]:
        """Every metric that was measured, in order."""
        names = (
            score.metric
            for record in self.records.values()
            for tested in record.tested
            for score in tested.scores
        )
        return list(dict.fromkeys(names))

    @cached_property
    def groups(self) -> list[Group]:
        """The groups of cells, in the order of the plan."""
        by: dict[tuple[Any, ...], list[Cell]] = {}
        for cell in self.experiment.cells:
            by.setdefault(tuple(cell.varied.items()), []).append(cell)
        return [
            Group(cells[0].varied, cells[0].data, cells[0].scratch, tuple(cells))
            for cells in by.values()
        ]

    @cached_property
    def domains(self) -> list[str]:
        """Every domain on which something was measured, in order."""
        names = (each.domain for record in self.records.values() for each in record.tested)
        return list(dict.fromkeys([*self.experiment.domains, *names]))

    @cached_property
    def points(self) -> list[Point]:
        """The metric of every group on every domain on which it was measured."""
        return [
            Point(group, domain, estimate)
            for group in self.groups
            for domain in self.domains
            if (estimate := self.estimate(group, domain)) is not None
        ]

    def estimate(self, group: Group, domain: str) -> Estimate | None:
        """A group's metric on a domain, over rows and seeds; None where nothing was measured."""
        scores = self._scores(group, domain)
        if not scores:
            return None
        system = self.system(group, domain)
        if system is not None:
            return estimate_of(system)
        if len(scores) > 1:
            return over_seeds([value for _, _, value in scores])
        tested, score, value = scores[0]
        method = "bootstrap over rows" if score.low is not None else "one value"
        return Estimate(method=method, value=value, low=score.low, high=score.high, n=tested.rows)

    def values(self, group: Group, domain: str) -> dict[int, float]:
        """The metric of each of a group's trainings on a domain, by its seed."""
        seeds = {cell.key: cell.seed for cell in group.cells}
        return {
            seeds[key]: score.value
            for key, tested in self._tested(group, domain)
            for score in tested.scores
            if score.metric == self.metric and score.value is not None
        }

    def difference(self, first: Group, second: Group, domain: str) -> Estimate | None:
        """First minus second on a domain; None where they were not tested on the same rows."""
        pair = self._together([first, second], domain)
        return difference_of(*pair) if len(pair) == 2 else None

    def standings(self, groups: Sequence[Group], domain: str) -> list[Standing]:
        """Groups beside the best of them on a domain; empty where they cannot be compared."""
        found = self._together(groups, domain)
        return compare_systems(found, greater=self.greater_is_better) if len(found) > 1 else []

    def system(self, group: Group, domain: str) -> System | None:
        """A group on a domain; None where its seeds were not tested on the same rows, or not at
        all."""
        key = (group.whole_name, domain)
        if key not in self._systems:
            results = self._results(group, domain)
            self._systems[key] = _system(group.whole_name, results, str(self.metric))
        return self._systems[key]

    def _together(self, groups: Sequence[Group], domain: str) -> list[System]:
        """The systems of groups that were tested on the same rows; none where others were not."""
        found = [(each, self.system(each, domain)) for each in groups]
        known = [(group, system) for group, system in found if system is not None]
        if not self.same_rows([group for group, _ in known], domain):
            return []
        count = min((each.draws.shape[1] for _, each in known), default=0)
        return [replace(each, draws=each.draws[:, :count]) for _, each in known]

    def same_rows(self, groups: Sequence[Group], domain: str) -> bool:
        """Whether all groups were tested on the same rows of a domain, each seed of them too."""
        rows = {
            None
            if self.system(group, domain) is None
            else self._results(group, domain)[0].identities.tobytes()
            for group in groups
        }
        return len(rows) == 1 and None not in rows

    def _results(self, group: Group, domain: str) -> list[RowResults]:
        """What was kept of rows, one for each seed; empty where one of them has none."""
        files = [self._file(key, tested) for key, tested in self._tested(group, domain)]
        found = [self._opened(file) for file in files if file is not None]
        known = [each for each in found if each is not None]
        return known if len(known) == len(files) else []

    def _file(self, key: str, tested: Tested) -> Path | None:
        """The file of row results that a record names, in the run's folder and nowhere else."""
        folder = folder_of(self.experiment.folder, key)
        file = None if tested.kept is None else folder / tested.kept
        inside = file is not None and file.resolve().is_relative_to(folder.resolve())
        return file if inside else None

    def _opened(self, file: Path) -> RowResults | None:
        if file not in self._read:
            try:
                self._read[file] = read_results(file)
            except RunError as error:
                log.warning("%s; its rows are left out of comparisons", error)
                self._read[file] = None
        return self._read[file]

    def _tested(self, group: Group, domain: str) -> Iterator[tuple[str, Tested]]:
        for cell in group.cells:
            record = self.records.get(cell.key)
            for tested in () if record is None else record.tested:
                if tested.domain == domain and tested.reason is None:
                    yield cell.key, tested

    def _scores(self, group: Group, domain: str) -> list[tuple[Tested, Score, float]]:
        return [
            (tested, score, score.value)
            for _, tested in self._tested(group, domain)
            for score in tested.scores
            if score.metric == self.metric and score.value is not None
        ]


def _system(name: str, results: Sequence[RowResults], metric: str) -> System | None:
    """Trainings as one system; None where they have not the same rows, or no resamples."""
    if not results or any(metric not in each.values for each in results):
        return None
    count = min(len(each.draws[metric]) for each in results)
    first = results[0]
    if not count or any(not np.array_equal(each.identities, first.identities) for each in results):
        return None
    right = None if first.right is None else first.right.astype(float)
    if right is not None and abs(right.mean() - first.values[metric]) > CLOSE:
        right = None  # it says nothing of this metric
    return System(
        name=name,
        values=np.array([each.values[metric] for each in results]),
        draws=np.stack([each.draws[metric][:count] for each in results]),
        rows=len(first.identities),
        right=right if len(results) == 1 else None,
    )
