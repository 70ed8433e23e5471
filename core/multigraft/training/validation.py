"""Validation inside a training: with the weights that would be kept, and which are the best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING

from multigraft.contracts.objectives import Objective
from multigraft.evaluation.measure import measure_split
from multigraft.training.checkpoint import Progress
from multigraft.training.forward import Forward
from multigraft.training.probe import validation_probe
from multigraft.training.weight_averaging import Average

if TYPE_CHECKING:
    from multigraft.runs.run import Run


def validate(run: Run, forward: Forward, average: Average | None) -> dict[str, float]:
    """Metrics of the validation rows, by the running mean if there is one; empty without rows."""
    if "validation" not in run.rows:
        return {}
    averaged = nullcontext() if average is None else average.applied()
    with averaged, forward.precision.autocast():
        probed = validation_probe(run)
        metrics = run.metrics.by_loss
        row_metrics = measure_split(
            run.graft,
            metrics,
            run.rows["validation"],
            replayed=forward.replayed.get("validation"),
            world=run.world,
            **run.reading(),
        )
    if "baseline" not in run.facts:  # the rows stay the same, so it is the same in every epoch
        found = run.objective.baseline(row_metrics)
        run.record(baseline=None if found is None else asdict(found))
    return {**metrics.summarise(row_metrics), **probed}


def improved(progress: Progress, metrics: Mapping[str, float], objective: Objective) -> bool:
    """Tell whether a validation is the best so far; then ``progress`` remembers it."""
    found = metrics[objective.monitor], metrics.get("loss")
    if not better(found, (progress.best, progress.best_loss), objective.greater_is_better):
        return False
    (progress.best, progress.best_loss), progress.best_step = found, progress.step
    return True


Value = tuple[float | None, float | None]
"""A validation's metric, None before the first, and its loss where it has one."""


def better(found: Value, best: Value, greater: bool) -> bool:
    """Compare validations: of equal metrics the lower loss is better, NaN never is.

    >>> better((1.0, 0.2), (1.0, 0.5), True)
    True
    >>> better((1.0, None), (1.0, 0.5), True)
    False
    """
    return best[0] is None or _rank(found, greater) > _rank(best, greater)


def _rank(value: Value, greater: bool) -> tuple[float, float]:
    metric, loss = (math.nan if each is None else each for each in value)
    goodness = metric if greater else -metric
    return _number(goodness), _number(-loss)


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value
