"""LEEP and NCE: what a model's own classes, those it was trained for, tell of a task's labels."""

from __future__ import annotations

import numpy as np


def leep(source: np.ndarray, labels: np.ndarray) -> float:
    """Log expected empirical prediction (Nguyen et al. 2020): the mean log-likelihood of ``labels``
    [rows] under the classifier that draws a source class from ``source`` [rows, classes], the
    model's probabilities, and then a label from P(label | source class), as the rows have it."""
    wide, held = source.astype(np.float64), _one_hot(labels)
    joint = held.T @ wide / len(wide)  # [labels, classes]
    given = joint / np.maximum(joint.sum(0), np.finfo(np.float64).tiny)
    expected = (held * (wide @ given.T)).sum(1)
    return float(np.log(expected).mean())


def nce(source: np.ndarray, labels: np.ndarray) -> float:
    """Negative conditional entropy -H(label | source class) of ``labels`` [rows] given the model's
    most probable class for each, ``source`` [rows] of numbers (Tran et al. 2019)."""
    joint = _one_hot(labels).T @ _one_hot(source) / len(labels)
    given = joint / joint.sum(0)
    there = joint > 0
    return float((joint[there] * np.log(given[there])).sum())


def _one_hot(labels: np.ndarray) -> np.ndarray:
    """[rows, labels that occur] of 0 and 1."""
    names, places = np.unique(labels, return_inverse=True)
    found: np.ndarray = np.eye(len(names))[places]
    return found
