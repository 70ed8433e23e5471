"""Scores of answers by class, in time and memory of the rows and the classes, not of the classes
squared."""

from __future__ import annotations

import numpy as np


def macro_scores(answer: np.ndarray, target: np.ndarray, classes: int) -> dict[str, float]:
    """Precision, recall and F1 of each class, averaged over the classes that occur in either array.

    A share of nothing counts as 0, as in scikit-learn.

    >>> macro_scores(np.array([0, 1, 1]), np.array([0, 0, 1]), 3)["recall_macro"]
    0.75
    """
    answered, expected = (np.bincount(side, minlength=classes) for side in (answer, target))
    right = np.bincount(target[answer == target], minlength=classes)
    there = answered + expected > 0
    parts = {
        "precision_macro": answered,
        "recall_macro": expected,
        "f1_macro": (answered + expected) / 2,
    }
    return {name: float((right / np.maximum(of, 0.5))[there].mean()) for name, of in parts.items()}


def confused(answer: np.ndarray, target: np.ndarray, classes: int) -> list[list[int]]:
    """The cells of the confusion matrix that are not 0: (expected, answered, rows) each.

    >>> confused(np.array([0, 1, 1]), np.array([0, 0, 0]), 2)
    [[0, 0, 1], [0, 1, 2]]
    """
    cells, rows = np.unique(target.astype(np.int64) * classes + answer, return_counts=True)
    return np.stack([cells // classes, cells % classes, rows], axis=1).tolist()
