"""Resampled metrics of a run: on its rows, on resamples of them, and by group where asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.contracts.report import Measure
from multigraft.data import Rows
from multigraft.data.row_identities import row_identities
from multigraft.errors import RunError, did_you_mean
from multigraft.evaluation.answer_scores import Metrics, RowMetrics
from multigraft.evaluation.groups import GROUP, GroupMetrics, groups_of
from multigraft.evaluation.statistics import Summary, metric_draws
from multigraft.runs.row_results import SHARED, RowResults, keep_results, results_file
from multigraft.runs.run import Run

Tables = dict[str, tuple[tuple[str, ...], ...]]


@dataclass(frozen=True)
class Grouping:
    """The groups of a split's rows, by a column of them."""

    column: str
    names: tuple[str, ...]
    places: np.ndarray
    """[rows]: the place in ``names`` of each row's group."""

    def metrics(self, run: Run) -> GroupMetrics:
        """The metrics of all rows with those of each group."""
        objective = run.objective
        return GroupMetrics(run.metrics, objective.monitor, objective.greater_is_better, self.names)


def grouping_of(run: Run, rows: Rows) -> Grouping | None:
    """The groups that the recipe names; None where it names no column. Raises RunError for one that
    is not there."""
    column = run.recipe.evaluation.groups
    if column is None:
        return None
    if column not in rows.columns:
        raise RunError(
            f"evaluation.groups: {rows.table.name} has no column {column!r}; "
            f"{did_you_mean(column, rows.columns)}"
        )
    return Grouping(column, *groups_of(rows.column(column), column))


def told_by_group(
    measures: dict[str, Measure], grouping: Grouping | None, run: Run
) -> tuple[dict[str, Measure], Tables]:
    """The metrics of a report, and its table of groups where there are some."""
    if grouping is None:
        return measures, {}
    kept, table = grouping.metrics(run).told(measures, grouping.places)
    return kept, {f"by {grouping.column}": table}


def results_of(
    run: Run,
    metrics: Metrics,
    split: str,
    kept: RowMetrics,
    *,
    right: np.ndarray | None,
    grouping: Grouping | None,
) -> RowResults:
    """The metrics on the rows and on resamples of them, which the run's folder keeps too.
    ``right`` are the rows [rows] that are answered right, where that says something."""
    rows, count = run.rows[split], run.recipe.evaluation.bootstrap
    summary: Summary = metrics
    if grouping is not None:
        summary, kept = grouping.metrics(run), {**kept, GROUP: grouping.places}
    results = RowResults(
        task=run.resolved.task.name,
        data=split,
        metric=run.objective.monitor,
        greater=run.objective.greater_is_better,
        identities=row_identities(rows, run.resolved.task),
        values=dict(summary.summarise(kept)),
        draws=metric_draws(summary, kept, count=count, seed=SHARED),
        right=right,
        asked=json.dumps(dict(run.asked)) if run.asked else "",
    )
    keep_results(results, results_file(run.folder, run.other_data))
    return results


def right_of(metrics: Metrics, kept: RowMetrics, details: Mapping[str, Any]) -> np.ndarray | None:
    """Which rows are answered right, [rows] bool, by the answers or else by the objective's
    details; None where neither says so."""
    said = details.get("correct") if metrics.answers is None else metrics.answers.right(kept)
    return None if said is None else np.asarray(said, dtype=bool)
