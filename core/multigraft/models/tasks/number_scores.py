"""Scores of numbers: errors in the target's unit, shares of what is explained, correlations.

Arrays are [rows, numbers]; scores of several numbers are the mean of each one's.
"""

from __future__ import annotations

import numpy as np


def number_scores(answered: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """MAE, RMSE, R2, D2 of the absolute error, Pearson's and Spearman's correlation.

    A correlation with what is constant is 0; R2 and D2 of constant targets are 1 if all is right,
    else 0, as in scikit-learn.

    >>> found = number_scores(np.array([[1.0], [3.0]]), np.array([[1.0], [2.0]]))
    >>> found["mae"], found["r2"], found["pearson"]
    (0.5, -1.0, 1.0)
    """
    error = answered - wanted
    spread, median = wanted - wanted.mean(0), wanted - np.median(wanted, axis=0)
    return {
        "mae": float(np.abs(error).mean()),
        "rmse": float(np.sqrt((error**2).mean(0)).mean()),
        "r2": _explained((error**2).sum(0), (spread**2).sum(0)),
        "d2_absolute_error": _explained(np.abs(error).sum(0), np.abs(median).sum(0)),
        "pearson": _correlation(answered, wanted),
        "spearman": _correlation(ranks(answered), ranks(wanted)),
    }


def quantile_scores(
    answered: np.ndarray, wanted: np.ndarray, levels: np.ndarray
) -> dict[str, float]:
    """D2 of the pinball loss of all levels, and how often the outer ones enclose the target.

    ``answered`` [rows, numbers, levels], ascending in the last axis.
    """
    constant = np.moveaxis(np.quantile(wanted, levels, axis=0), 0, -1)[None]
    losses = [
        pinball(each, wanted, levels).sum((0, 2))
        for each in (answered, np.broadcast_to(constant, answered.shape))
    ]
    inside = (answered[..., 0] <= wanted) & (wanted <= answered[..., -1])
    return {"d2_pinball": _explained(*losses), "interval_coverage": float(inside.mean())}


def ranks(values: np.ndarray) -> np.ndarray:
    """[rows, numbers]: each value's rank in its column, from 1; equal ones share their mean rank.

    >>> ranks(np.array([[3.0], [1.0], [3.0]])).ravel().tolist()
    [2.5, 1.0, 2.5]
    """
    found = np.empty(values.shape)
    for column in range(values.shape[1]):
        _, place, counts = np.unique(values[:, column], return_inverse=True, return_counts=True)
        found[:, column] = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return found


def pinball(answered: np.ndarray, wanted: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Pinball loss [rows, numbers, levels] (Koenker and Bassett 1978)."""
    under = wanted[..., None] - answered
    loss: np.ndarray = np.maximum(levels * under, (levels - 1) * under)
    return loss


def _explained(left: np.ndarray, whole: np.ndarray) -> float:
    """1 - left / whole, the mean over numbers."""
    alone = np.where(left == 0, 1.0, 0.0)
    shares = 1 - np.divide(left, whole, where=whole > 0, out=1 - alone)
    return float(shares.mean())


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    one, other = one - one.mean(0), other - other.mean(0)
    norms = np.linalg.norm(one, axis=0) * np.linalg.norm(other, axis=0)
    found = np.divide((one * other).sum(0), norms, where=norms > 0, out=np.zeros(len(norms)))
    return float(np.clip(found, -1, 1).mean())
