"""Resampled metrics of a run: on its rows, on resamples of them, and by group where asked for."""

from __future__ import annotations

import json

import numpy as np

from multigraft.contracts.objectives import Objective
from multigraft.data import Rows
from multigraft.data.row_identities import row_identities
from multigraft.evaluation.answer_scores import Metrics, RowMetrics
from multigraft.evaluation.groups import GROUP, Grouping, grouping_by
from multigraft.evaluation.statistics import SHARED, Summary, metric_draws
from multigraft.runs.row_results import RowResults, keep_results, results_file
from multigraft.runs.run import Run


def grouping_of(run: Run, rows: Rows) -> Grouping | None:
    """The groups that the recipe names; None where it names no column. Raises RunError for one that
    is not there."""
    column = run.recipe.evaluation.groups
    return None if column is None else grouping_by(rows, column, "evaluation.groups")


def results_of(
    run: Run,
    metrics: Metrics[Objective],
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
        summary, kept = grouping.metrics(metrics), {**kept, GROUP: grouping.places}
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
