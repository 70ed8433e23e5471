"""Verdict: whether what a precision loses is within the budget, and the sentence that says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.report import Measure
from multigraft.evaluation.answer_scores import RowMetrics
from multigraft.evaluation.statistics import paired_bootstrap

FEWEST, MOST = 50, 1000
ERROR_RATES = ("wer", "cer")
"""Last words of the names of metrics that are shares of errors: of words, of characters."""


@dataclass(frozen=True)
class Evidence:
    """Measurements of one precision."""

    metric: str
    measure: Measure
    rows: int
    changed: int | None
    """Rows answered otherwise than in fp32; None where an answer is only numbers."""
    difference: float
    """Largest difference of any output to fp32, as `parity.relative` gives it."""
    kept: RowMetrics
    """What the metric is computed from, row by row in the order of every other precision."""
    same_tokens: float | None = None
    """Where tokens are written: how often fp32's most likely token is the most likely here."""


@dataclass(frozen=True)
class Loss:
    """Metric loss of a precision against fp32 on the same rows, in points, with paired interval."""

    points: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        between = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.points:.2f}{between}"


@dataclass(frozen=True)
class Verdict:
    """Verdict on a precision: whether it may be shipped, and why."""

    accepted: bool
    reason: str
    loss: Loss


def points_lost(metric: str, *, fp32: float, value: float, greater_is_better: bool) -> float:
    """Count lost points: of 100 for a share, percent of ``fp32`` for anything else.

    >>> points_lost("accuracy", fp32=0.9, value=0.88, greater_is_better=True)
    2.0
    >>> points_lost("loss", fp32=2.0, value=2.1, greater_is_better=False)
    5.0
    """
    worse = fp32 - value if greater_is_better else value - fp32
    rate = metric.endswith("rate") or metric.rpartition("_")[2] in ERROR_RATES
    share = rate or (greater_is_better and abs(fp32) <= 1)
    return round(100 * worse / (1 if share else max(abs(fp32), 1e-12)), 9)


def rows_needed(budget: float) -> int:
    """The fewest held-out rows that can tell a loss of the budget: one row is worth no more.

    >>> rows_needed(0.5), rows_needed(10), rows_needed(0)
    (200, 50, 1000)
    """
    return MOST if budget <= 0 else min(MOST, max(FEWEST, math.ceil(100 / budget)))


@dataclass(frozen=True)
class Judge:
    """Compares precisions with fp32 by the task's own metric."""

    metric: str
    greater_is_better: bool
    score: Callable[[Mapping[str, np.ndarray]], float]
    """The metric of some rows."""
    budget: float
    """The points that may be lost."""
    rows: int
    """The fewest rows on which anything is accepted."""
    resamples: int
    confidence: float
    seed: int

    def loss(self, evidence: Evidence, fp32: Evidence) -> Loss:
        """Points lost, with a percentile interval by a paired bootstrap over rows."""
        points = self._points(evidence.measure.value, fp32.measure.value)
        if self.resamples == 0:
            return Loss(points)

        def lost(chosen: np.ndarray) -> float:
            found, reference = (
                {k: v[chosen] for k, v in side.kept.items()} for side in (evidence, fp32)
            )
            return self._points(self.score(found), self.score(reference))

        low, high = paired_bootstrap(
            lost,
            evidence.rows,
            count=self.resamples,
            confidence=self.confidence,
            seed=self.seed,
        )
        return Loss(points, low, high)

    def verdict(self, evidence: Evidence, fp32: Evidence) -> Verdict:
        """Decide whether a precision is accepted."""
        loss = self.loss(evidence, fp32)
        numbers = f"{evidence.metric} {evidence.measure.value:.4g}, fp32 {fp32.measure.value:.4g}"
        reason = f"loses {loss} of {self.budget:g} allowed ({numbers}, {evidence.rows} rows)"
        if evidence.rows < self.rows:
            return Verdict(False, f"{reason}; {self.too_few(evidence.rows)}", loss)
        return Verdict(loss.points <= self.budget, reason, loss)  # NaN is refused

    def too_few(self, rows: int) -> str:
        """Say why so few rows decide nothing."""
        return (
            f"{rows} held-out rows are too few to tell a loss of {self.budget:g} points; "
            f"{self.rows} are needed (export.rows)"
        )

    def _points(self, value: float, fp32: float) -> float:
        return points_lost(
            self.metric, fp32=fp32, value=value, greater_is_better=self.greater_is_better
        )
