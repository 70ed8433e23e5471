"""Paired differences: two systems on the same rows, or on the same splits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from multigraft.evaluation.statistics.bootstrap import mean_draws, quantiles
from multigraft.evaluation.statistics.estimate import Estimate, pair, vector

Scores = Sequence[float] | np.ndarray
EXACT = 14
"""Differences up to which all signs are tried: 2 ** 14 are as many as are drawn otherwise."""
BLOCK = 2**22
"""Signs that are held in memory at once."""


def paired_difference(
    first: Scores,
    second: Scores,
    *,
    count: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """The mean of first - second, scores [rows] of the same rows, with a percentile bootstrap
    interval, and the p-value at which that interval begins to hold 0 (Efron & Tibshirani 1993)."""
    one, other = pair(first, second)
    gaps = one - other
    draws = mean_draws(gaps[None], count=count, seed=seed)[0]
    low, high = quantiles(draws, confidence)
    return Estimate(
        method="paired bootstrap over rows",
        value=float(gaps.mean()),
        low=low,
        high=high,
        p=bootstrap_p(draws),
        n=len(gaps),
        confidence=confidence,
    )


def bootstrap_p(draws: np.ndarray) -> float:
    """The two-sided p-value of no difference from resampled differences [count]; never below
    2 / (count + 1)."""
    least = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return min(1.0, 2 * (least + 1) / (len(draws) + 1))


def permutation_test(
    first: Scores, second: Scores, *, count: int = 10_000, seed: int = 0
) -> Estimate:
    """Paired permutation test (Fisher 1935): how often the mean of first - second, [rows] each, is
    as far from 0 when each row's two scores are exchanged at random.

    Exact of few rows; else ``count`` draws and their own value (Phipson & Smyth 2010).
    """
    one, other = pair(first, second)
    gaps = one - other
    exact = np.count_nonzero(gaps) <= EXACT
    p = _all_signs(gaps[gaps != 0]) if exact else _some_signs(gaps, count, seed)
    return Estimate(
        method="exact permutation test" if exact else "permutation test",
        value=float(gaps.mean()),
        p=p,
        n=len(gaps),
    )


def _all_signs(gaps: np.ndarray) -> float:
    signs = 1 - 2 * ((np.arange(2 ** len(gaps))[:, None] >> np.arange(len(gaps))) & 1)
    return float(_as_far(signs @ gaps, gaps).mean())


def _some_signs(gaps: np.ndarray, count: int, seed: int) -> float:
    rng, found, size = np.random.default_rng(seed), 0, max(1, BLOCK // len(gaps))
    for start in range(0, count, size):
        signs = rng.integers(0, 2, (min(size, count - start), len(gaps)), dtype=np.int8) * 2 - 1
        found += int(_as_far(signs @ gaps, gaps).sum())
    return (found + 1) / (count + 1)


def _as_far(sums: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    """Which sums are as far from 0 as that of the gaps, rounding aside."""
    return np.abs(sums) >= abs(gaps.sum()) - 1e-12 * np.abs(gaps).sum()


def mcnemar(
    first: Scores, second: Scores, *, exact: bool | None = None, confidence: float = 0.95
) -> Estimate:
    """The difference of two accuracies on the same rows, ``first`` and ``second`` being 1 where a
    row is answered right and 0 elsewhere [rows], with McNemar's test (1947).

    ``exact`` is the binomial test of the rows that only one answers right, else chi-squared with
    Edwards's correction; None: exact below 1,000 such rows. The interval is Agresti & Min's (2005).
    """
    one, other = pair(first, second, least=1)
    if not (np.isin(one, (0, 1)).all() and np.isin(other, (0, 1)).all()):
        raise ValueError("McNemar's test compares rows that are right (1) or wrong (0)")
    won, lost, rows = int((one > other).sum()), int((one < other).sum()), len(one)
    exactly = won + lost < 1000 if exact is None else exact
    low, high = _agresti_min(won, lost, rows, confidence)
    return Estimate(
        method="McNemar's exact test" if exactly else "McNemar's chi-squared test",
        value=(won - lost) / rows,
        low=low,
        high=high,
        p=_binomial_p(won, lost) if exactly else _chi_squared_p(won, lost),
        n=rows,
        confidence=confidence,
    )


def _binomial_p(won: int, lost: int) -> float:
    from scipy.stats import binom

    return min(1.0, 2 * float(binom.cdf(min(won, lost), won + lost, 0.5)))


def _chi_squared_p(won: int, lost: int) -> float:
    from scipy.stats import chi2

    statistic = max(abs(won - lost) - 1, 0) ** 2 / max(won + lost, 1)
    return float(chi2.sf(statistic, 1))


def _agresti_min(won: int, lost: int, rows: int, confidence: float) -> tuple[float, float]:
    """Wald's interval with half a row more in each of the four cells."""
    from scipy.stats import norm

    more, gap = rows + 2, won - lost
    error = math.sqrt(max(won + lost + 1 - gap**2 / more, 0)) / more
    half = float(norm.ppf((1 + confidence) / 2)) * error
    return max(gap / more - half, -1.0), min(gap / more + half, 1.0)


def corrected_t(
    differences: Scores, *, train_rows: int, test_rows: int, confidence: float = 0.95
) -> Estimate:
    """The mean difference of two systems over resampled splits [splits], by Student's t with the
    variance of Nadeau & Bengio (2003): splits share training rows, so their results are no
    independent draws, and the usual test is too sure.

    ``train_rows`` and ``test_rows`` are those of one split, as 9 and 1 in ten folds.
    """
    found = vector(differences, least=2, what="differences")
    if train_rows < 1 or test_rows < 1:
        raise ValueError(f"splits of {train_rows} and {test_rows} rows; at least 1 are needed")
    from scipy.stats import t

    mean = float(found.mean())
    error = math.sqrt((1 / len(found) + test_rows / train_rows) * float(found.var(ddof=1)))
    half = float(t.ppf((1 + confidence) / 2, len(found) - 1)) * error
    return Estimate(
        method="corrected resampled t-test over splits",
        value=mean,
        low=mean - half,
        high=mean + half,
        p=t_p(mean, error, len(found) - 1),
        n=len(found),
        confidence=confidence,
    )


def t_p(value: float, error: float, free: float) -> float:
    """The two-sided p-value of Student's t; without an error 1 for no difference, else 0."""
    if error == 0:
        return 1.0 if value == 0 else 0.0
    from scipy.stats import t

    return 2 * float(t.sf(abs(value) / error, free))
