"""Bayesian comparison with a region of practical equivalence (Benavoli et al. 2017): how probable
it is that one system is better, worse, or as good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.evaluation.statistics.estimate import vector

Scores = Sequence[float] | np.ndarray


@dataclass(frozen=True, kw_only=True)
class Belief:
    """Posterior probabilities that a difference lies below, inside and above a region of practical
    equivalence; they sum to 1."""

    method: str
    worse: float
    equal: float
    better: float
    region: float
    """Differences from minus this to this are none that matter."""
    n: int


def correlated_bayes(differences: Scores, *, region: float, test_share: float) -> Belief:
    """The posterior of the mean of differences [splits] on one data set by the Bayesian correlated
    t-test (Corani & Benavoli 2015).

    ``test_share`` is the share of the rows that a split tests on, 0.1 in ten folds: the correlation
    of two splits' results. The prior knows nothing, so the posterior is Student's.
    """
    found = vector(differences, least=2, what="differences")
    _check(region, test_share)
    mean, count = float(found.mean()), len(found)
    spread = (1 / count + test_share / (1 - test_share)) * float(found.var(ddof=1))
    worse, better = _tails(mean, math.sqrt(spread), count - 1, region)
    return Belief(
        method="Bayesian correlated t-test over splits",
        worse=worse,
        equal=max(0.0, 1 - worse - better),
        better=better,
        region=region,
        n=count,
    )


def _check(region: float, test_share: float = 0.0) -> None:
    if not region >= 0:
        raise ValueError(f"region {region}: a difference that does not matter, of at least 0")
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share {test_share}: a share of the rows, at least 0 and below 1")


def _tails(mean: float, scale: float, free: int, region: float) -> tuple[float, float]:
    """The probabilities below and above the region."""
    if scale == 0:
        tie = 0.5 if region == 0 and mean == 0 else 0.0
        return float(mean < -region) + tie, float(mean > region) + tie
    from scipy.stats import t

    return float(t.cdf(-region, free, mean, scale)), float(t.sf(region, free, mean, scale))


def signed_rank_bayes(
    differences: Scores, *, region: float, count: int = 50_000, seed: int = 0
) -> Belief:
    """The Bayesian signed-rank test of differences [data sets], one a data set (Benavoli et al.
    2014): a Dirichlet process with half a prior observation at 0.

    The probabilities are shares of ``count`` draws, so their error is below 0.5 / sqrt(count).
    """
    found = vector(differences, least=2, what="differences")
    _check(region)
    points = np.concatenate([[0.0], found])
    prior = np.array([0.5, *np.ones(len(found))])
    sums = points[:, None] + points
    above, below = (_heaviside(side, 2 * region) for side in (sums, -sums))
    rng, wins = np.random.default_rng(seed), np.zeros(3)
    for start in range(0, count, 10_000):
        weights = rng.dirichlet(prior, min(10_000, count - start))
        worse, better = (np.einsum("ci,ci->c", weights @ side, weights) for side in (below, above))
        wins += _winners(worse, better)
    worse_share, equal, better_share = (wins / count).tolist()
    return Belief(
        method="Bayesian signed-rank test over data sets",
        worse=worse_share,
        equal=equal,
        better=better_share,
        region=region,
        n=len(found),
    )


def _heaviside(values: np.ndarray, edge: float) -> np.ndarray:
    return (values > edge) + 0.5 * (values == edge)


def _winners(worse: np.ndarray, better: np.ndarray) -> np.ndarray:
    """In how many draws each of worse, equal and better is the most probable [3]."""
    shares = np.stack([worse, 1 - worse - better, better], axis=1)
    return np.bincount(shares.argmax(1), minlength=3).astype(float)
