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


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error of answers [rows] (Guo et al. 2017): the mean gap between how sure
    they are and how often they are right, in bins of equal width of which each holds its lower
    bound.

    >>> calibration_error(np.array([0.75, 0.75]), np.array([True, False]))
    0.25
    """
    places, width = np.arange(bins + 1), float(np.float32(1 / bins))
    # from both ends, as torch's linspace rounds them
    bounds = np.where(places < (bins + 1) // 2, places * width, 1 - (bins - places) * width)
    sure = np.clip(confidence.astype(np.float32), 0, 1)
    bin_of = np.searchsorted(bounds.astype(np.float32), sure, side="right") - 1
    gaps = np.bincount(bin_of, right.astype(np.float64) - sure, minlength=bins + 1)
    return float(np.abs(gaps).sum() / len(sure))
