"""Whether a precision may be shipped: its graph is measured on held-out rows with the task's own
metric.

What is lost counts in points of 100 for metrics that are shares (accuracy, F1, a correlation, an
error rate) and in percent of the fp32 value for all others (a loss, an absolute error). A
pretraining task serves only embeddings, which no metric of its own judges: there the metric is the
mean cosine between a row's embedding and its fp32 embedding, a share, of which fp32 has 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number
from typing import Any

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective
from multigraft.contracts.types import Answer, Arrays
from multigraft.data import Epoch, iterate, plan_batches
from multigraft.errors import ExportError
from multigraft.evaluation.answer_scores import (
    Metrics,
    answer_rows,
    joined,
    metrics_of,
    read_values,
    score_rows,
)
from multigraft.evaluation.statistics import FEW, intervals, percentile
from multigraft.export.acceptance.parity import relative
from multigraft.export.acceptance.verdict import Evidence, Judge, rows_needed
from multigraft.export.context import FP32
from multigraft.runs.run import Run
from multigraft.runtime.answers import make_answers
from multigraft.runtime.branches import BranchSession
from multigraft.runtime.session import Session

SIMILARITY = "embedding_similarity"


@dataclass
class _Tally:
    """What is gathered of one precision, batch by batch."""

    kept: list[dict[str, np.ndarray]] = field(default_factory=list)
    changed: list[int | None] = field(default_factory=list)
    difference: float = 0.0


def measure_graphs(
    run: Run, split: str, sessions: Mapping[str, Session | BranchSession]
) -> dict[str, Evidence]:
    """Measure each precision in one pass over a split; ``sessions`` holds ``fp32``."""
    tallies = {name: _Tally() for name in sessions}
    rows, task, metrics = run.rows[split], run.resolved.task, metrics_by(run)
    answers = metrics.answers
    if answers is None and task.answers is not None and len(sessions) > 1:  # words are compared
        answers = make_answers(task, run.targets)
    judge = _similarity if task.stage == "pretrain" else _judge(run)
    for numbers, batch in numbered_batches(run, split):
        arrays = {name: tensor.numpy() for name, tensor in batch.items()}
        outputs = {name: session.run(arrays) for name, session in sessions.items()}
        values = [] if answers is None else read_values(answers, rows, numbers)
        answered = {
            name: None
            if answers is None
            else answer_rows(answers, values, rows.reader, each, sessions[name].run)
            for name, each in outputs.items()
        }
        fp32 = _said(answered[FP32])
        for name, tally in tallies.items():
            kept = judge(outputs[name], outputs[FP32], batch)
            if metrics.answers is not None and (made := answered[name]) is not None:
                kept = joined(kept, score_rows(metrics.answers, rows, numbers, made))
            tally.kept.append(kept)
            tally.changed.append(_changed(_said(answered[name]), fp32))
            tally.difference = max(tally.difference, _difference(outputs[name], outputs[FP32]))
    return {name: _evidence(run, tally, len(rows)) for name, tally in tallies.items()}


def metrics_by(run: Run) -> Metrics[Objective]:
    """The task's metrics; a pretraining task's embeddings are judged instead."""
    if run.resolved.task.stage == "pretrain":
        return Metrics(run.objective, None)
    return metrics_of(run.resolved.task, run.targets, run.objective)


def metric_of(run: Run) -> tuple[str, bool]:
    """The metric that judges, and whether more of it is better."""
    generating = run.objective.generating(run.graft.head)
    if generating is not None and generating.judged is not None:
        return generating.judged.metric, generating.judged.greater_is_better
    if run.resolved.task.stage == "pretrain" and generating is None:
        return SIMILARITY, True
    return run.objective.monitor, run.objective.greater_is_better


def judge_of(run: Run) -> Judge:
    """How this run's precisions are compared, by its recipe."""
    settings, export = run.recipe.evaluation, run.recipe.export
    metric, better = metric_of(run)
    return Judge(
        metric=metric,
        greater_is_better=better,
        score=_score(run, metric),
        budget=export.budget,
        rows=rows_needed(export.budget) if export.rows is None else export.rows,
        resamples=FEW if settings.bootstrap is None else settings.bootstrap,
        confidence=settings.confidence,
        seed=run.recipe.seed,
    )


def _score(run: Run, metric: str) -> Callable[[Mapping[str, np.ndarray]], float]:
    if metric == SIMILARITY:
        return lambda kept: float(kept[metric].mean())
    metrics = metrics_by(run)
    return lambda kept: float(metrics.summarise(kept)[metric])


def numbered_batches(run: Run, split: str) -> Iterator[tuple[np.ndarray, Batch]]:
    """The batches that evaluation sees, with the numbers of their rows."""
    rows, reading = run.rows[split], run.reading()
    plan = plan_batches(
        rows.lengths,
        size=reading["batch_size"],
        seed=reading["seed"],
        epoch=0,
        shuffle=False,
        budget=reading["budget"],
    )
    for numbers, batch in iterate(rows, plan, Epoch(seed=reading["seed"])):
        yield numbers, batch
        run.display.advance(len(numbers))


def _judge(run: Run) -> Callable[[Arrays, Arrays, Batch], dict[str, np.ndarray]]:
    """What the task's objective keeps of a batch of graph outputs."""

    def judge(outputs: Arrays, fp32: Arrays, batch: Batch) -> dict[str, np.ndarray]:
        del fp32
        tensors = {name: torch.from_numpy(array) for name, array in outputs.items()}
        try:
            kept = run.objective.measure(tensors, batch, run.objective.loss(tensors, batch))
        except KeyError as error:
            raise ExportError(
                f"task {run.resolved.task.name!r} serves {', '.join(outputs)}, but its loss or "
                f"metrics need {error}; its objective's `serve` must give that too"
            ) from error
        return {name: value.numpy() for name, value in kept.items()}

    return judge


def _similarity(outputs: Arrays, fp32: Arrays, batch: Batch) -> dict[str, np.ndarray]:
    """The cosine of each row's embedding with its fp32 embedding."""
    del batch
    found, wanted = (side["embedding"].astype(np.float64) for side in (outputs, fp32))
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(wanted, axis=1)
    return {SIMILARITY: (found * wanted).sum(1) / np.maximum(norms, 1e-12)}


def _evidence(run: Run, tally: _Tally, rows: int) -> Evidence:
    metrics = metrics_by(run)
    kept = metrics.together(
        {name: np.concatenate([part[name] for part in tally.kept]) for name in tally.kept[0]}
    )
    metric, _ = metric_of(run)
    settings = run.recipe.evaluation
    if metric == SIMILARITY:
        measure = percentile(
            kept[metric],
            count=settings.bootstrap,
            confidence=settings.confidence,
            seed=run.recipe.seed,
        )
    else:
        measure = intervals(
            metrics,
            kept,
            count=settings.bootstrap,
            confidence=settings.confidence,
            seed=run.recipe.seed,
        )[metric]
    changed = None if None in tally.changed else sum(count or 0 for count in tally.changed)
    return Evidence(metric, measure, rows, changed, tally.difference, kept)


def _changed(said: Sequence[Any], fp32: Sequence[Any]) -> int | None:
    """How many answers say something else; None where one is only numbers."""
    if any(wanted is None for wanted in fp32):
        return None
    return sum(found != wanted for found, wanted in zip(said, fp32, strict=True))


def _said(answers: Sequence[Answer] | None) -> list[Any]:
    """The answers' words; None where the task says nothing of its answers."""
    return [None] if answers is None else [words(answer) for answer in answers]


def words(value: Any) -> Any:
    """An answer without its numbers, which may differ in every precision; None where nothing is
    left.

    A whole number is a number like any other: a time in milliseconds, a place, a count that was
    rounded.

    >>> words({"label": "a", "score": 0.6, "rank": 3, "sure": True})
    {'label': 'a', 'sure': True}
    >>> words({"age": 41, "box": [3, 9]})
    """
    # asked first: an answer has one for each of perhaps thousands of labels
    if type(value) is float:
        return None
    if isinstance(value, Mapping):
        kept = {
            key: said
            for key, item in value.items()
            if type(item) is not float and (said := words(item)) is not None
        }
        return kept or None
    if isinstance(value, list | tuple):
        items = [words(item) for item in value]
        return None if all(item is None for item in items) and items else items
    return value if isinstance(value, bool) or not isinstance(value, Number) else None


def _difference(outputs: Arrays, fp32: Arrays) -> float:
    floats = [name for name, array in fp32.items() if array.dtype.kind == "f"]
    gaps = [float(relative(fp32[name], outputs[name]).max(initial=0.0)) for name in floats]
    return float(np.nan_to_num(max(gaps, default=0.0), nan=np.inf))
