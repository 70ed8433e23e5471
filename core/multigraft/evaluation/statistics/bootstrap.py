"""Bootstrap over rows (Efron & Tibshirani 1993): resamples, and intervals of any metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

import numpy as np

from multigraft.contracts.report import Measure

BLOCK = 2**22
"""Numbers that a block of resamples takes in memory."""
SHARED = 0
"""The seed of the resamples of every evaluation."""
FEW, MANY = 200, 1000
"""Resamples where a person asks for no number of them: at least, and where they cost little."""
NUMBERS = 200_000_000
"""Kept numbers that all resamples together go through before there are fewer than `MANY`."""


class Summary(Protocol):
    """An objective, or a task's metrics: what makes metrics of what is kept of rows."""

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]: ...


def intervals(
    metrics: Summary,
    kept: Mapping[str, np.ndarray],
    *,
    count: int | None,
    confidence: float,
    seed: int,
) -> dict[str, Measure]:
    """Each metric with its bootstrap interval over rows (Efron & Tibshirani 1993, ch. 13), of
    ``count`` resamples; None: of `usual_count`."""
    values = metrics.summarise(kept)
    if count == 0:
        return {name: Measure(value) for name, value in values.items()}
    draws = metric_draws(metrics, kept, count=count, seed=seed)
    return {name: measured(value, draws[name], confidence) for name, value in values.items()}


def metric_draws(
    metrics: Summary, kept: Mapping[str, np.ndarray], *, count: int | None, seed: int
) -> dict[str, np.ndarray]:
    """Each metric on ``count`` resamples of the rows in ``kept`` (None: `usual_count`): arrays
    [count], with NaN where a resample's rows do not have it.

    Of as many rows the same ``seed`` draws the same, and a smaller count the first of them, so that
    two models' draws are paired.
    """
    wanted = usual_count(kept) if count is None else count
    draws = {name: np.full(wanted, np.nan) for name in metrics.summarise(kept)}
    rows = len(next(iter(kept.values())))
    for number, chosen in enumerate(resamples(rows, wanted, seed)):
        found = metrics.summarise({name: values[chosen] for name, values in kept.items()})
        for name, drawn in draws.items():
            drawn[number] = found.get(name, np.nan)
    return draws


def usual_count(kept: Mapping[str, np.ndarray]) -> int:
    """How many resamples are drawn of what is kept of rows: 1,000, of much of it fewer, but at
    least 200 (Efron & Tibshirani 1993, section 6.4).

    >>> usual_count({"right": np.zeros(5000)}), usual_count({"matches": np.zeros((5000, 800))})
    (1000, 200)
    """
    numbers = sum(values.size for values in kept.values())
    return min(MANY, max(FEW, NUMBERS // max(numbers, 1)))


def measured(value: float, draws: np.ndarray, confidence: float) -> Measure:
    """A metric with the interval of its draws [count]; without one where fewer than half of them
    are numbers."""
    known = draws[~np.isnan(draws)]
    if np.isnan(value) or 2 * len(known) < len(draws) or not len(draws):
        return Measure(value)
    return Measure(value, *interval_of(value, known, confidence))


def interval_of(value: float, draws: np.ndarray, confidence: float) -> tuple[float, float]:
    """The percentile interval, moved back by the bias where that is more than a quarter of the
    spread. It always holds the value.

    Resamples repeat rows, which makes some metrics worse on average than they are on the rows
    themselves: a calibration error adds up what is noise in each bin. Smaller biases can be ignored
    (Efron & Tibshirani 1993, section 10.3). What no resample passes, -1 or 0 below
    and 1 above, the interval does not pass either.
    """
    low, high = quantiles(draws, confidence)
    with np.errstate(invalid="ignore"):  # a loss may be infinite
        bias, spread = float(draws.mean()) - value, float(draws.std())
    if abs(bias) > spread / 4:
        least, most = min(value, draws.min()), max(value, draws.max())
        ceiling = 1.0 if most <= 1 else np.inf
        floor = 0.0 if least >= 0 else -1.0 if least >= -1 and most <= 1 else -np.inf
        low, high = max(low - bias, floor), min(high - bias, ceiling)
    return min(low, value), max(high, value)


def percentile(values: np.ndarray, *, count: int | None, confidence: float, seed: int) -> Measure:
    """The mean of ``values`` [N] with its percentile bootstrap interval."""
    mean = float(values.mean())
    if count == 0:
        return Measure(mean)
    scores = np.asarray(values, dtype=float)[None]
    means = mean_draws(scores, count=MANY if count is None else count, seed=seed)[0]
    return measured(mean, means, confidence)


def mean_draws(scores: np.ndarray, *, count: int, seed: int) -> np.ndarray:
    """The means of scores [systems, rows] on ``count`` resamples of rows, the same for all:
    [systems, count]."""
    rows = scores.shape[1]
    drawn = resamples(rows, count, seed)
    found, size = [], max(1, BLOCK // rows)
    for start in range(0, count, size):
        times = [np.bincount(next(drawn), minlength=rows) for _ in range(min(size, count - start))]
        found.append(scores @ np.array(times, dtype=float).T / rows)
    return np.concatenate(found, axis=1)


def paired_bootstrap(
    difference: Callable[[np.ndarray], float],
    rows: int,
    *,
    count: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """The percentile interval of a difference between two measurements of the same rows, which
    always holds the difference itself (see `interval_of`).

    ``difference`` is given the rows of a resample [N]. What is common to both, as which rows are
    hard, is in each resample twice and so cancels (Efron & Tibshirani 1993, ch. 13).
    """
    drawn = np.array([difference(chosen) for chosen in resamples(rows, count, seed)])
    return interval_of(difference(np.arange(rows)), drawn, confidence)


def resamples(rows: int, count: int, seed: int) -> Iterator[np.ndarray]:
    """Row numbers [N] drawn with replacement, one resample at a time: memory holds any number."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, rows, rows) for _ in range(count))


def quantiles(drawn: np.ndarray, confidence: float) -> tuple[float, float]:
    """Both ends of the percentile interval of what was drawn [count]."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return low, high
