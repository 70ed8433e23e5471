"""Confident learning: which given labels are likely wrong, by probabilities out of the sample.

Northcutt, Jiang and Chuang 2021 (JAIR 70, arXiv 1911.00068).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Doubts:
    """What probabilities say of given labels; arrays [rows]."""

    likely: np.ndarray
    """int64: the label that a row likely has."""
    score: np.ndarray
    """float64 in 0 to 1: how well the given label fits; the lowest is the most doubtful."""
    doubted: np.ndarray
    """bool: whether another label is confidently likelier than the given one."""

    @property
    def order(self) -> np.ndarray:
        """[rows]: the doubted rows first, and among them, and the others, the lowest score."""
        return np.lexsort((self.score, ~self.doubted))


def label_doubts(given: np.ndarray, probabilities: np.ndarray) -> Doubts:
    """Doubt labels: [rows] int of 0 to K - 1, [rows, K] of a model that did not learn these rows.

    A row counts for a label where its probability reaches the mean of the rows given that label
    (the paper's equation 2), and is doubted where it counts for another one more than for its own.
    The score is that of the normalised margin: half of 1 plus the given label's probability minus
    the largest other. A label that no row is given counts for none.
    """
    rows = np.arange(len(given))
    thresholds = class_thresholds(given, probabilities)
    confident = np.where(probabilities >= thresholds, probabilities, -1.0)
    counted = np.where(confident.max(1) >= 0, confident.argmax(1), given)
    others = probabilities.copy()
    others[rows, given] = -1.0
    margin = probabilities[rows, given] - others.max(1)
    doubted = counted != given
    likely = np.where(doubted, counted, probabilities.argmax(1))
    return Doubts(likely, (margin + 1) / 2, doubted)


def class_thresholds(given: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """[K]: the mean probability of each label among the rows given it; infinite where there are
    none.

    >>> class_thresholds(np.array([0, 0, 1]), np.array([[0.75, 0.25], [0.5, 0.5], [0.0, 1.0]]))
    array([0.625, 1.   ])
    """
    counts = np.bincount(given, minlength=probabilities.shape[1])
    own = np.bincount(
        given,
        weights=probabilities[np.arange(len(given)), given],
        minlength=probabilities.shape[1],
    )
    return np.where(counts > 0, own / np.maximum(counts, 1), np.inf)
