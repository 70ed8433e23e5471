"""Rankings by a score: how sure the best is, and how well scores rank what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def weighted_tau(scores: Sequence[float] | np.ndarray, measured: Sequence[float]) -> float:
    """Kendall's tau between scores and what was measured, in which exchanges among the best count
    more: by 1 / rank, additively, over the ranks by both (Vigna 2015), as LogME and LEEP are judged
    by. From -1 to 1; NaN where either is the same for all."""
    from scipy.stats import weightedtau

    return float(weightedtau(scores, measured).statistic)


def halves(rows: int, *, count: int, seed: int) -> list[np.ndarray]:
    """Halves of the rows, drawn without replacement: a mean over one varies as over a bootstrap
    resample of all rows (McCarthy 1969), and no row is its own neighbour or counted as evidence
    twice."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.choice(rows, rows // 2, replace=False)) for _ in range(count)]


def share_of_wins(draws: np.ndarray) -> np.ndarray:
    """[candidates]: in which share of ``draws`` [draws, candidates] each is the best; what is best
    together shares the draw."""
    best = draws == draws.max(1, keepdims=True)
    shares: np.ndarray = (best / best.sum(1, keepdims=True)).mean(0)
    return shares
