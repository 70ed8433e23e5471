"""Intervals: bootstrap over rows (Efron & Tibshirani 1993), Student's t over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from multigraft.contracts.report import Measure
from multigraft.evaluation.answer_scores import (
    RowMetrics,
)


class Summary(Protocol):
    """An objective, or a task's metrics: what makes metrics of what is kept of rows."""

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]: ...


def intervals(
    metrics: Summary,
    kept: Mapping[str, np.ndarray],
    *,
    count: int,
    confidence: float,
    seed: int,
) -> dict[str, Measure]:
    """Each metric with its bootstrap interval over rows (Efron & Tibshirani 1993, ch. 13)."""
    values = metrics.summarise(kept)
    if count == 0:
        return {name: Measure(value) for name, value in values.items()}
    rows = len(next(iter(kept.values())))
    scores = [metrics.summarise(_resample(kept, chosen)) for chosen in resamples(rows, count, seed)]
    return {
        name: Measure(
            value, *_interval(value, np.array([score[name] for score in scores]), confidence)
        )
        for name, value in values.items()
    }


def _interval(value: float, scores: np.ndarray, confidence: float) -> tuple[float, float]:
    """The percentile interval, moved back by the bias where that is more than a quarter of the
    spread.

    Resamples repeat rows, which makes some metrics worse on average than they are on the rows
    themselves: a calibration error adds up what is noise in each bin. Smaller biases can be ignored
    (Efron & Tibshirani 1993, section 10.3). What no resample passes, -1 or 0 below
    and 1 above, the interval does not pass either.
    """
    low, high = quantiles(scores, confidence)
    bias = float(scores.mean()) - value
    if abs(bias) <= scores.std() / 4:
        return low, high
    least, most = min(value, scores.min()), max(value, scores.max())
    ceiling = 1.0 if most <= 1 else np.inf
    floor = 0.0 if least >= 0 else -1.0 if least >= -1 and most <= 1 else -np.inf
    return max(low - bias, floor), min(high - bias, ceiling)


def _resample(kept: Mapping[str, np.ndarray], chosen: np.ndarray) -> RowMetrics:
    return {name: values[chosen] for name, values in kept.items()}


def percentile(values: np.ndarray, *, count: int, confidence: float, seed: int) -> Measure:
    """The mean of ``values`` [N] with its percentile bootstrap interval."""
    mean = float(values.mean())
    if count == 0:
        return Measure(mean)
    means = np.array([values[chosen].mean() for chosen in resamples(len(values), count, seed)])
    return Measure(mean, *quantiles(means, confidence))


def paired_bootstrap(
    difference: Callable[[np.ndarray], float],
    rows: int,
    *,
    count: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """The percentile interval of a difference between two measurements of the same rows.

    ``difference`` is given the rows of a resample [N]. What is common to both, as which rows are
    hard, is in each resample twice and so cancels (Efron & Tibshirani 1993, ch. 13).
    """
    drawn = np.array([difference(chosen) for chosen in resamples(rows, count, seed)])
    return quantiles(drawn, confidence)


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


def resamples(rows: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """Row numbers [N] drawn with replacement, one resample at a time: memory holds any number."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, rows, rows) for _ in range(count))


def quantiles(drawn: np.ndarray, confidence: float) -> tuple[float, float]:
    """Both ends of the percentile interval of what was drawn [count]."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return low, high
