"""H-score: how much of the features' covariance lies between the labels (Bao et al. 2019)."""

from __future__ import annotations

import numpy as np


def h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """tr(cov(f)^-1 cov(E[f | y])) of features [rows, width] and labels [rows]; of a singular
    covariance by its pseudo-inverse. At most the number of labels less one.

    Where the width is near the number of rows, it is high of any features: see
    `regularised_h_score`.
    """
    centred = _centred(features)
    return _between(np.linalg.pinv(_covariance(centred), hermitian=True), centred, labels)


def regularised_h_score(features: np.ndarray, labels: np.ndarray) -> float:
    """The same with Ledoit and Wolf's estimate of the covariance, which fits few rows of many
    features, and the between-label covariance shrunk by as much (Ibrahim et al. 2021, "Newer is not
    always better", equation 5)."""
    from sklearn.covariance import ledoit_wolf

    centred = _centred(features)
    covariance, shrinkage = ledoit_wolf(centred, assume_centered=True)
    inverse = np.linalg.pinv(covariance, hermitian=True)
    return (1 - float(shrinkage)) * _between(inverse, centred, labels)


def _centred(features: np.ndarray) -> np.ndarray:
    wide = features.astype(np.float64)
    centred: np.ndarray = wide - wide.mean(0)
    return centred


def _covariance(centred: np.ndarray) -> np.ndarray:
    covariance: np.ndarray = centred.T @ centred / len(centred)
    return covariance


def _between(inverse: np.ndarray, centred: np.ndarray, labels: np.ndarray) -> float:
    """The trace of ``inverse`` with the covariance of the labels' means."""
    names, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(names), centred.shape[1]))
    np.add.at(sums, places, centred)
    means, shares = sums / counts[:, None], counts / len(labels)
    return float((shares * np.einsum("cd,de,ce->c", means, inverse, means, optimize=True)).sum())
