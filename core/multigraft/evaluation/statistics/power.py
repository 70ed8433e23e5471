"""Power analysis: how probable it is to find a difference, and how many rows or seeds it takes."""

from __future__ import annotations

import math

MOST = 10**9


def power(
    difference: float, deviation: float, n: int, *, alpha: float = 0.05, paired: bool = True
) -> float:
    """How probable it is that a two-sided t-test finds a difference (Cohen 1988).

    ``deviation`` is the standard deviation of the paired differences of ``n`` rows, or, not
    ``paired``, of each of two systems' results over ``n`` seeds. For accuracies of the same rows,
    of which a share s is answered right by one system alone, it is sqrt(s - difference ** 2).
    """
    _check(difference, deviation, alpha)
    if n < 2:
        raise ValueError(f"n is {n}; a t-test needs at least 2")
    from scipy.stats import nct, norm, t

    size, free = (n, n - 1) if paired else (n / 2, 2 * n - 2)
    shift = abs(difference) / deviation * math.sqrt(size)
    if free > 10_000:  # Student's t is the normal distribution then, and nct slow
        edge = float(norm.ppf(1 - alpha / 2))
        return float(norm.sf(edge - shift) + norm.cdf(-edge - shift))
    edge = float(t.ppf(1 - alpha / 2, free))
    opposite = float(nct.cdf(-edge, free, shift))
    # of a difference so large that its opposite is never found, scipy gives no number
    return float(nct.sf(edge, free, shift)) + (0.0 if math.isnan(opposite) else opposite)


def needed(
    difference: float,
    deviation: float,
    *,
    wanted: float = 0.8,
    alpha: float = 0.05,
    paired: bool = True,
) -> int:
    """The fewest rows (or seeds of each of two systems, where not ``paired``) with which `power` is
    at least ``wanted``.

    >>> needed(0.5, 1.0), needed(0.5, 1.0, paired=False)
    (34, 64)
    """
    if not alpha < wanted < 1:
        raise ValueError(f"wanted is {wanted}; a probability above alpha ({alpha}) and below 1")
    few, many = 1, 2
    while power(difference, deviation, many, alpha=alpha, paired=paired) < wanted:
        few, many = many, 2 * many
        if many > MOST:
            raise ValueError(f"a difference of {difference:g} needs more than {MOST:,}")
    while many - few > 1:
        middle = (few + many) // 2
        found = power(difference, deviation, middle, alpha=alpha, paired=paired)
        few, many = (few, middle) if found >= wanted else (middle, many)
    return many


def smallest_difference(
    deviation: float,
    n: int,
    *,
    wanted: float = 0.8,
    alpha: float = 0.05,
    paired: bool = True,
) -> float:
    """The smallest difference that ``n`` rows (or seeds) find with probability ``wanted``: what a
    comparison could have seen.

    >>> round(smallest_difference(1.0, 34), 2)
    0.5
    """
    from scipy.optimize import brentq

    def lacking(difference: float) -> float:
        return power(difference, deviation, n, alpha=alpha, paired=paired) - wanted

    most = deviation / math.sqrt(n)
    while lacking(most) < 0:
        most *= 2
    return float(brentq(lacking, 1e-9 * deviation, most))


def _check(difference: float, deviation: float, alpha: float) -> None:
    if difference == 0 or not math.isfinite(difference):
        raise ValueError(f"difference is {difference}; no number of rows finds that")
    if not 0 < deviation < math.inf:
        raise ValueError(f"deviation is {deviation}; a standard deviation above 0 is needed")
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha}; a probability between 0 and 1 is needed")
