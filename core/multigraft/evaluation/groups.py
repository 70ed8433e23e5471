"""Metrics by group: a task's metric for each domain of the rows, and for the worst of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.contracts.numbers import figure, interval
from multigraft.contracts.report import Measure
from multigraft.contracts.row_objectives import RowObjective
from multigraft.data import Rows
from multigraft.errors import RunError, did_you_mean, shown
from multigraft.evaluation.answer_scores import Metrics
from multigraft.evaluation.statistics import Summary

GROUP = "group of rows"
"""What is kept of each row beside what its metrics need: the place of its group."""
MOST = 200
"""Groups, at most: what has more is no domain, and each is measured on every resample."""
EMPTY = "(empty)"
Tables = dict[str, tuple[tuple[str, ...], ...]]
"""Tables of a report, by title."""


@dataclass(frozen=True)
class GroupMetrics:
    """The metrics of all rows, and beside them the one that a task is judged by for each group and
    for the worst (Sagawa et al. 2020)."""

    metrics: Summary
    metric: str
    greater: bool
    names: tuple[str, ...]
    """The groups, by the number that `GROUP` holds of each row."""

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The metrics of the rows in ``kept``; of a group without rows nothing."""
        rows = {name: values for name, values in kept.items() if name != GROUP}
        found, of = dict(self.metrics.summarise(rows)), kept[GROUP]
        each = {
            self.called(name): self._alone(rows, of == place)
            for place, name in enumerate(self.names)
            if (of == place).any()
        }
        known = [value for value in each.values() if not np.isnan(value)]
        worst = min if self.greater else max
        return {**found, self.worst: worst(known, default=float("nan")), **each}

    def _alone(self, rows: Mapping[str, np.ndarray], chosen: np.ndarray) -> float:
        part = {name: values[chosen] for name, values in rows.items()}
        return self.metrics.summarise(part)[self.metric]

    @property
    def worst(self) -> str:
        """What the metric of the worst group is called."""
        return f"worst_group_{self.metric}"

    def called(self, group: str) -> str:
        """What a group's metric is called."""
        return f"{self.metric} of {group}"

    def told(
        self, measures: Mapping[str, Measure], groups: np.ndarray
    ) -> tuple[dict[str, Measure], tuple[tuple[str, ...], ...]]:
        """The metrics of all rows and of the worst group, and a table of the groups, the worst
        first."""
        own = {self.called(name): place for place, name in enumerate(self.names)}
        order = sorted(
            (name for name in own if name in measures),
            key=lambda name: measures[name].value,
            reverse=not self.greater,
        )
        lines = (
            (
                self.names[own[name]],
                str(int((groups == own[name]).sum())),
                figure(measures[name]),
                interval(measures[name]),
            )
            for name in order
        )
        kept = {name: value for name, value in measures.items() if name not in own}
        return kept, (("group", "rows", self.metric, "interval"), *lines)


def groups_of(
    cells: Sequence[Any], column: str, setting: str = "evaluation.groups"
) -> tuple[tuple[str, ...], np.ndarray]:
    """The groups that a column names, in the order of their names, and the place of each row's
    [rows]. Raises RunError for more than can be told apart."""
    named = [EMPTY if cell is None or cell == "" else str(cell) for cell in cells]
    names, places = np.unique(np.array(named, dtype=object), return_inverse=True)
    if len(names) > MOST:
        raise RunError(
            f"{setting}: column {shown(column)} holds {len(names):,} different values; "
            f"a column of at most {MOST} names groups"
        )
    return tuple(map(str, names)), places


@dataclass(frozen=True)
class Grouping:
    """The groups of rows, by a column of them."""

    column: str
    names: tuple[str, ...]
    places: np.ndarray
    """[rows]: the place in ``names`` of each row's group."""

    def metrics(self, metrics: Metrics[RowObjective]) -> GroupMetrics:
        """The metrics of all rows with those of each group."""
        objective = metrics.objective
        return GroupMetrics(metrics, objective.monitor, objective.greater_is_better, self.names)


def grouping_by(rows: Rows, column: str, setting: str) -> Grouping:
    """The groups that a column names; ``setting`` is what names the column. Raises RunError for one
    that is not there, and for too many groups."""
    if column not in rows.columns:
        raise RunError(
            f"{setting}: {rows.table.name} has no column {column!r}; "
            f"{did_you_mean(column, rows.columns)}"
        )
    return Grouping(column, *groups_of(rows.column(column), column, setting))


def told_by_group(
    measures: dict[str, Measure], metrics: Metrics[RowObjective], grouping: Grouping | None
) -> tuple[dict[str, Measure], Tables]:
    """The metrics of a report, and its table of groups where there are some."""
    if grouping is None:
        return measures, {}
    kept, table = grouping.metrics(metrics).told(measures, grouping.places)
    return kept, {f"by {grouping.column}": table}
