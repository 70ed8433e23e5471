"""Ranks over data sets: Friedman's test with Nemenyi's critical difference (Demsar 2006)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.evaluation.statistics.estimate import matrix


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """Systems ranked on each of several data sets, 1 being the best."""

    method: str
    mean_ranks: np.ndarray
    """[systems]"""
    statistic: float
    """Friedman's chi-squared, corrected for ties."""
    p: float
    """Of no difference between any systems."""
    critical_difference: float
    """Mean ranks that are further apart differ (Nemenyi 1963)."""
    pairs: np.ndarray
    """[systems, systems]: Nemenyi's p-value for each two, all pairs taken into account."""
    n: int
    """Data sets."""
    confidence: float = 0.95

    def alike(self) -> list[list[int]]:
        """The largest groups of systems, by place in the order of mean ranks, that are not told
        apart: the bars of a critical difference diagram."""
        order = np.argsort(self.mean_ranks, kind="stable")
        ranks = self.mean_ranks[order]
        ends = [int((ranks <= low + self.critical_difference).sum()) for low in ranks]
        return [
            order[start:end].tolist()
            for start, end in enumerate(ends)
            if end - start > 1 and (start == 0 or end > ends[start - 1])
        ]


def friedman(
    scores: Sequence[Sequence[float]] | np.ndarray,
    *,
    greater: bool = True,
    confidence: float = 0.95,
) -> Ranks:
    """Rank systems by scores [data sets, systems] with Friedman's test (1937) and Nemenyi's
    comparison of all pairs. ``greater`` says whether larger scores are better.

    Raises ValueError for fewer than two data sets or three systems.
    """
    found = matrix(scores, least=2, what="scores")
    sets, systems = found.shape
    if systems < 3:
        raise ValueError("two systems are compared by paired_difference; Friedman's test ranks 3")
    from scipy.stats import chi2, rankdata, studentized_range

    ranks = rankdata(-found if greater else found, axis=1)
    mean = ranks.mean(0)
    statistic = _statistic(ranks)
    error = math.sqrt(systems * (systems + 1) / (6 * sets))
    gaps = np.abs(mean[:, None] - mean) / error * math.sqrt(2)
    pairs = studentized_range.sf(gaps, systems, np.inf)
    np.fill_diagonal(pairs, 1.0)
    reach = float(studentized_range.ppf(confidence, systems, np.inf)) / math.sqrt(2)
    return Ranks(
        method="Friedman's test with Nemenyi's comparison of all pairs",
        mean_ranks=mean,
        statistic=statistic,
        p=float(chi2.sf(statistic, systems - 1)),
        critical_difference=reach * error,
        pairs=pairs,
        n=sets,
        confidence=confidence,
    )


def _statistic(ranks: np.ndarray) -> float:
    """Friedman's chi-squared of ranks [data sets, systems]; 0 where all are tied."""
    sets, systems = ranks.shape
    middle = (systems + 1) / 2
    spread = float(((ranks - middle) ** 2).sum()) / (sets * (systems - 1))
    return sets * float(((ranks.mean(0) - middle) ** 2).sum()) / spread if spread else 0.0
