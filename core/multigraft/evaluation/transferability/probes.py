"""Linear probes, cross-validated: each row is answered by a linear model of the other folds' rows
(Alain & Bengio 2016)."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

FOLDS = 5
STRENGTHS = (3.0, 0.3, 0.03, 0.003)
"""L2 of the logistic probe: half of it, times the squares of the weights on standardised features,
is added to the mean loss."""
RIDGES = (10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""The same of the ridge probe, whose loss is half the squared error."""


def folds_of(labels: np.ndarray | None, rows: int, *, seed: int) -> np.ndarray:
    """The fold [rows] of each row, drawn with the seed; each has the ``labels`` [rows] in their
    shares, where there are some."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(rows)
    if labels is not None:
        order = order[np.argsort(labels[order], kind="stable")]
    fold = np.empty(rows, dtype=np.int64)
    fold[order] = np.arange(rows) % min(FOLDS, rows)
    return fold


def logistic_probe(
    features: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
    *,
    strengths: Sequence[float] = STRENGTHS,
) -> np.ndarray:
    """The probability of each label [rows, labels] by a logistic regression that was fitted to the
    other folds, of labels [rows] from 0 on.

    Of several ``strengths`` of L2 the one whose probabilities have the least log loss.
    """
    answers = np.zeros((len(strengths), len(labels), int(labels.max()) + 1))
    for train, test in _divided(fold):
        known = np.unique(labels[train])
        given, asked = _rotated(*_standardised(features[train], features[test]))
        for place, strength in enumerate(strengths):
            shares = _logistic(given, labels[train], asked, strength)
            answers[place][np.ix_(test, known)] = shares
    own = np.arange(len(labels))
    losses = -np.log(np.maximum(answers[:, own, labels], 1e-12)).mean(1)
    best: np.ndarray = answers[int(np.argmin(losses))]
    return best


def ridge_probe(features: np.ndarray, targets: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """What a ridge regression that was fitted to the other folds answers of ``targets`` [rows,
    columns], in closed form; of several strengths the one of the least squared error."""
    answers = np.empty((len(RIDGES), *targets.shape))
    for train, test in _divided(fold):
        given, asked = _standardised(features[train], features[test])
        mean = targets[train].mean(0)
        left, values, right = np.linalg.svd(given, full_matrices=False)
        wanted, turned = left.T @ (targets[train] - mean), asked @ right.T
        for place, strength in enumerate(RIDGES):
            shrunk = values / (values**2 + strength * len(train))
            answers[place, test] = turned @ (shrunk[:, None] * wanted) + mean
    errors = ((answers - targets) ** 2).mean((1, 2))
    best: np.ndarray = answers[int(np.argmin(errors))]
    return best


def _logistic(
    given: np.ndarray, labels: np.ndarray, asked: np.ndarray, strength: float
) -> np.ndarray:
    """The probabilities [asked, labels that occur] of rows ``asked``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(labels)) == 1:
        return np.ones((len(asked), 1))
    model = LogisticRegression(C=1 / (strength * len(labels)), max_iter=200)
    with warnings.catch_warnings():  # 200 iterations rank backbones well enough
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(given, labels)
    found: np.ndarray = model.predict_proba(asked)
    return found


def _rotated(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in the space that the training rows span, where that is smaller: L2 is the same in every
    rotation, so a penalised fit is."""
    if train.shape[1] <= len(train):
        return train, test
    right = np.linalg.svd(train, full_matrices=False)[2]
    return train @ right.T, test @ right.T


def _divided(fold: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The rows that each fold learns from, and its own."""
    for number in np.unique(fold):
        yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both in units of the training rows' deviation; what never differs there is 0."""
    mean, deviation = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    scale = np.where(deviation > 1e-6 * deviation.max(initial=0.0), deviation, np.inf)
    return (train - mean) / scale, (test - mean) / scale
