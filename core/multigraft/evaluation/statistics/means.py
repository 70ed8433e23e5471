"""Intervals of mean scores: over rows, over seeds, and over both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

import numpy as np

from multigraft.contracts.report import Measure
from multigraft.evaluation.statistics.bootstrap import mean_draws, quantiles
from multigraft.evaluation.statistics.estimate import Estimate, matrix, vector

Scores = Sequence[float] | np.ndarray
Part = tuple[float, float]
"""A variance, and its degrees of freedom."""


def over_rows(
    scores: Scores, *, count: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """The mean of scores [rows] with its percentile bootstrap interval (Efron & Tibshirani 1993):
    what other rows would change."""
    found = vector(scores, least=1, what="scores")
    low, high = quantiles(mean_draws(found[None], count=count, seed=seed)[0], confidence)
    return Estimate(
        method="percentile bootstrap over rows",
        value=float(found.mean()),
        low=low,
        high=high,
        n=len(found),
        confidence=confidence,
    )


def over_seeds(values: Scores, *, confidence: float = 0.95) -> Estimate:
    """The mean of values [seeds], one a training, with Student's t interval: what other seeds would
    change. One seed has no interval."""
    found = vector(values, least=1, what="values")
    measure = student(found.tolist(), confidence=confidence)
    return Estimate(
        method="Student's t over seeds",
        value=measure.value,
        low=measure.low,
        high=measure.high,
        n=len(found),
        seeds=len(found),
        confidence=confidence,
    )


def over_both(
    scores: Sequence[Scores] | np.ndarray,
    *,
    count: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """The mean of scores [seeds, rows] with an interval for other rows and other seeds.

    The variance over rows is a bootstrap's of the seeds' mean, that over seeds is the seeds' own;
    their sum has the degrees of freedom of Satterthwaite (1946). What rows and seeds have together
    is in both, which makes it a little wide; of two seeds that lie far apart it covers 88%. With
    one seed it is the rows' alone. Drawing few seeds again, as `hierarchical_bootstrap` does, is
    too sure of them.
    """
    found = matrix(scores, least=1, what="scores")
    draws = mean_draws(found, count=count, seed=seed)
    return combined(found.mean(1), draws, rows=found.shape[1], confidence=confidence)


def combined(
    values: np.ndarray, draws: np.ndarray, *, rows: int, confidence: float = 0.95
) -> Estimate:
    """The mean of a metric's ``values`` [seeds], whose ``draws`` [seeds, resamples] are of the same
    rows, with an interval for other rows and other seeds (see `over_both`)."""
    parts = variances(values, draws, rows=rows)
    value, half = float(values.mean()), half_width(parts, confidence)
    return Estimate(
        method="bootstrap over rows with Student's t over seeds",
        value=value,
        low=value - half,
        high=value + half,
        n=rows,
        seeds=len(values),
        confidence=confidence,
    )


def variances(values: np.ndarray, draws: np.ndarray, *, rows: int) -> list[Part]:
    """The parts of the variance of the seeds' mean: by rows, and by seeds where there are
    several."""
    found = [row_variance(draws.mean(0), rows=rows)]
    if len(values) > 1:
        found.append((float(values.var(ddof=1)) / len(values), len(values) - 1))
    return found


def row_variance(draws: np.ndarray, *, rows: int) -> Part:
    """The variance over rows of what is on resamples ``draws`` [resamples].

    A bootstrap's is too small by the factor (rows - 1) / rows, and is known no better than its
    resamples tell.
    """
    known = draws[~np.isnan(draws)]
    least = max(rows - 1, 1)
    free = 1 / (1 / least + 1 / max(len(known) - 1, 1))
    return float(known.var(ddof=1)) * rows / least, free


def freedom(parts: Sequence[Part]) -> float:
    """The degrees of freedom of a sum of variances (Satterthwaite 1946)."""
    total = sum(part for part, _ in parts)
    each = sum(part**2 / free for part, free in parts)
    return total**2 / each if each > 0 else min(free for _, free in parts)


def half_width(parts: Sequence[Part], confidence: float) -> float:
    """Half of Student's interval of a mean whose variance is the sum of ``parts``."""
    from scipy.stats import t

    error = math.sqrt(sum(part for part, _ in parts))
    return float(t.ppf((1 + confidence) / 2, freedom(parts))) * error


def hierarchical_bootstrap(
    scores: Sequence[Scores] | np.ndarray,
    *,
    count: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """The mean of scores [seeds, rows] with a percentile interval of resamples that draw seeds and
    rows (Owen 2007), each row for all drawn seeds.

    For ten seeds or more; of three it covers about 80% where seeds decide, see `over_both`.
    """
    found = matrix(scores, least=1, what="scores")
    seeds = len(found)
    draws = mean_draws(found, count=count, seed=seed)
    chosen = np.random.default_rng([seed, 1]).integers(0, seeds, (seeds, count))
    low, high = quantiles(np.take_along_axis(draws, chosen, 0).mean(0), confidence)
    return Estimate(
        method="hierarchical bootstrap over seeds and rows",
        value=float(found.mean()),
        low=low,
        high=high,
        n=found.shape[1],
        seeds=seeds,
        confidence=confidence,
    )


def student(values: Sequence[float], *, confidence: float = 0.95) -> Measure:
    """The mean of a few values, one a seed, with Student's t interval; without one for one value.

    >>> student([0.5]), student([1.0, 1.0])
    (Measure(value=0.5, low=None, high=None), Measure(value=1.0, low=1.0, high=1.0))
    """
    mean = statistics.fmean(values)
    if len(values) < 2:
        return Measure(mean)
    from scipy.stats import t

    error = statistics.stdev(values) / math.sqrt(len(values))
    half = float(t.ppf((1 + confidence) / 2, len(values) - 1)) * error
    return Measure(mean, mean - half, mean + half)
