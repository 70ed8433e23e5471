"""Evaluation of a bundle: rows of other data to a report, as that of a run's, without torch."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from multigraft.contracts.display import UNSEEN, Display
from multigraft.contracts.report import Cost, Measure, Report
from multigraft.data import Rows
from multigraft.data.reporting import odd_notes
from multigraft.errors import RunError
from multigraft.evaluation.answer_scores import AnswerKeeper, RowMetrics
from multigraft.evaluation.baselines import baseline_notes
from multigraft.evaluation.bundle.bundle_rows import column_names, rows_of
from multigraft.evaluation.bundle.bundle_task import BundleTask, bundle_task
from multigraft.evaluation.bundle.measure_rows import measure_rows
from multigraft.evaluation.groups import GROUP, Grouping, grouping_by, told_by_group
from multigraft.evaluation.other_sources import answers_files, left_out, named_sources, table_of
from multigraft.evaluation.report.confusion import confusion_of
from multigraft.evaluation.row_answers import row_answers, write_rows
from multigraft.evaluation.statistics import SHARED, Summary, measured, metric_draws
from multigraft.evaluation.unanswered import unanswered_notes
from multigraft.evaluation.worst_rows import worst_rows
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Evaluation
from multigraft.runtime import Predictor
from multigraft.system.peak_memory import peak_memory_mb
from multigraft.system.validation import problem_lines


def evaluate(
    predictor: Predictor,
    data: Any,
    *,
    name: str | None = None,
    columns: Mapping[str, str] | None = None,
    split: str | None = None,
    rows: str | Path | None = None,
    asked: Mapping[str, Any] | None = None,
    groups: str | None = None,
    bootstrap: int | None = None,
    confidence: float = 0.95,
    catalog: Catalog | None = None,
    display: Display = UNSEEN,
) -> Report:
    """Measure a bundle on rows of a table, without torch, by the metrics of its task; on the same
    rows an fp32 bundle has the figures of its run.

    ``data`` is what a recipe's ``data.train`` may be, rows in Python too; a mapping from names to
    several of them gives one report with a table. Columns are called as in the training table,
    ``columns`` (our name -> theirs) going first; ``split`` is that of a hub set, or of a folder
    that holds a file for each. Rows that cannot be used, as those of labels that the bundle does
    not know, are left out, counted and told. ``rows`` is a file (``.jsonl``, ``.csv``,
    ``.parquet``) that gets the answer to each row. ``asked`` is what is asked of the answers, as
    ``{"flip": True}``. ``groups`` is a column for whose values the task's metric is told too, and
    for the worst. ``bootstrap`` and ``confidence`` are a recipe's
    ``evaluation.bootstrap`` and ``.confidence``. ``catalog`` knows the task (unset: the installed
    plugins).

    The loss is told of labels and numbers alone. Raises DataError, RunError, PredictError, and
    BundleError for a task that is measured by torch alone.
    """
    known = catalog if catalog is not None else Catalog()
    task = bundle_task(predictor, known, asked or {})
    settings = _settings(bootstrap, confidence, groups)
    sources = named_sources(data, name, split, column_names(task, columns or {}))
    files = answers_files(None if rows is None else Path(rows), sources)
    with display:
        reports = {
            each: _report(
                task,
                rows_of(task, source, each, columns=columns or {}, split=split, catalog=known),
                each,
                settings,
                file=files[each],
                display=display,
            )
            for each, source in sources.items()
        }
    return table_of(reports) if len(reports) > 1 else next(iter(reports.values()))


def _report(
    task: BundleTask,
    rows: Rows,
    name: str,
    settings: Evaluation,
    *,
    file: Path | None,
    display: Display,
) -> Report:
    started = time.perf_counter()
    grouping = None if settings.groups is None else grouping_by(rows, settings.groups, "groups")
    keep = None if file is None else AnswerKeeper(task.predictor.maker)
    display.begin(f"evaluating on {name}", len(rows))
    kept = measure_rows(task, rows, keep=keep, display=display)
    display.begin("computing intervals")
    resampled = _resampled(task, kept, grouping, settings)
    metrics, tables = told_by_group(resampled.measures, task.metrics, grouping)
    objective, bundle = task.metrics.objective, task.predictor.bundle
    details, baseline = objective.details(kept), objective.baseline(kept)
    values = {each: measure.value for each, measure in metrics.items()}
    seconds = time.perf_counter() - started
    return Report(
        verb="evaluate",
        title=f"{bundle.task} with {bundle.backbone} on {name}",
        metrics=metrics,
        baseline=baseline if baseline and baseline.metric in metrics else None,
        confusion=confusion_of(details["confusion"]) if "confusion" in details else None,
        worst=worst_rows(rows, kept, details, settings.worst),
        tables={**details.get("tables", {}), **tables},
        cost=Cost(seconds, peak_memory_mb(), len(rows) / seconds),
        facts={
            "bundle": str(task.predictor.folder or ""),
            "task": bundle.task,
            "backbone": bundle.backbone,
            "precision": task.predictor.precision,
            "split": name,
            "rows": str(len(rows)),
            "confidence": f"{settings.confidence:g}",
            **resampled.facts,
            "data": name,
            **({"asked": json.dumps(dict(task.asked))} if task.asked else {}),
        },
        notes=(
            *task.notes,
            *left_out(name, rows.problems),
            *odd_notes(rows, name),
            *baseline_notes(values, baseline, rows=name, greater=objective.greater_is_better),
            *unanswered_notes(details, rows=name),
        ),
        files=_written(task, rows, keep, kept, details, file=file),
    )


@dataclass(frozen=True)
class _Resampled:
    measures: dict[str, Measure]
    facts: dict[str, str]


def _settings(bootstrap: int | None, confidence: float, groups: str | None) -> Evaluation:
    """What is asked, as a recipe would say it. Raises RunError."""
    try:
        return Evaluation(bootstrap=bootstrap, confidence=confidence, groups=groups)
    except ValidationError as error:
        raise RunError("\n".join(problem_lines(error, Evaluation))) from error


def _resampled(
    task: BundleTask, kept: RowMetrics, grouping: Grouping | None, settings: Evaluation
) -> _Resampled:
    """The metrics with intervals from the resamples that a run of as many rows has."""
    summary: Summary = task.metrics
    if grouping is not None:
        summary, kept = grouping.metrics(task.metrics), {**kept, GROUP: grouping.places}
    draws = metric_draws(summary, kept, count=settings.bootstrap, seed=SHARED)
    measures = {
        name: measured(value, draws[name], settings.confidence)
        for name, value in summary.summarise(kept).items()
    }
    count = max(map(len, draws.values()), default=0)
    told = {"intervals": f"bootstrap over rows, {count:,} resamples"} if count else {}
    return _Resampled(measures, told)


def _written(
    task: BundleTask,
    rows: Rows,
    keep: AnswerKeeper | None,
    kept: Mapping[str, np.ndarray],
    details: Mapping[str, Any],
    *,
    file: Path | None,
) -> dict[str, str]:
    """Write the answer to each row; the file, as a report names it."""
    if keep is None or file is None:
        return {}
    records = row_answers(
        rows, keep.kept, dict(kept), details, keep.answers, columns=task.task.columns
    )
    write_rows(file, list(records))
    return {"answers": str(file)}
