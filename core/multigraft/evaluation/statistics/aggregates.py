"""Aggregates over tasks and seeds (Agarwal et al. 2021): interquartile mean and probability of
improvement, with stratified bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from multigraft.evaluation.statistics.bootstrap import quantiles
from multigraft.evaluation.statistics.estimate import Estimate, matrix

Scores = Sequence[Sequence[float]] | np.ndarray


def interquartile_mean(
    scores: Scores, *, count: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Estimate:
    """The mean of the middle half of scores [seeds, tasks], which no outlier moves.

    >>> interquartile_mean([[0.0, 1.0], [2.0, 99.0]]).value
    1.5
    """
    found = matrix(scores, least=1, what="scores")
    return _stratified(
        "interquartile mean, stratified bootstrap over seeds",
        lambda drawn: middle_mean(drawn[0]),
        [found],
        count=count,
        confidence=confidence,
        seed=seed,
    )


def middle_mean(scores: np.ndarray) -> float:
    """The mean without the lowest and the highest quarter of all scores."""
    ordered = np.sort(scores, axis=None)
    cut = len(ordered) // 4
    return float(ordered[cut : len(ordered) - cut].mean())


def probability_of_improvement(
    first: Scores,
    second: Scores,
    *,
    count: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """How probable it is that a training of the first system scores higher than one of the second,
    both [seeds, tasks], averaged over the tasks; ties count half (Mann & Whitney 1947).

    >>> probability_of_improvement([[3.0], [4.0]], [[1.0], [3.0]]).value
    0.875
    """
    found = [matrix(scores, least=1, what="scores") for scores in (first, second)]
    if found[0].shape[1] != found[1].shape[1]:
        raise ValueError(
            f"scores on {found[0].shape[1]} and {found[1].shape[1]} tasks; give both on the same "
            "tasks in the same order"
        )
    return _stratified(
        "probability of improvement, stratified bootstrap over seeds",
        lambda drawn: wins(*drawn),
        found,
        count=count,
        confidence=confidence,
        seed=seed,
    )


def wins(first: np.ndarray, second: np.ndarray) -> float:
    """The share of pairs of seeds in which the first is higher, ties half, over all tasks."""
    gaps = np.sign(first[:, None] - second[None])
    return float((gaps + 1).mean() / 2)


def _stratified(
    method: str,
    statistic: Callable[[Sequence[np.ndarray]], float],
    systems: Sequence[np.ndarray],
    *,
    count: int,
    confidence: float,
    seed: int,
) -> Estimate:
    """A statistic of scores with the percentile interval of resamples that draw seeds of each task
    by themselves."""
    rng = np.random.default_rng(seed)
    draws = np.array([statistic([_drawn(each, rng) for each in systems]) for _ in range(count)])
    low, high = quantiles(draws, confidence)
    value = statistic(systems)
    return Estimate(
        method=method,
        value=value,
        low=min(low, value),
        high=max(high, value),
        n=systems[0].shape[1],
        seeds=min(map(len, systems)),
        confidence=confidence,
    )


def _drawn(scores: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    chosen = rng.integers(0, len(scores), scores.shape)
    return np.take_along_axis(scores, chosen, 0)
