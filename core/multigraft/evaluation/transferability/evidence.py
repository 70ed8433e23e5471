"""LogME: the largest log evidence of Bayesian linear models that predict the targets (You et al.
2021)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ROUNDS = 1000
CLOSE = 1e-10
"""The fixed point is reached where alpha / beta changes by no larger a share."""
LEAST = 1e-12
"""The least residual, as a share of the targets' own square: what is fitted exactly has no
evidence that is finite."""
LEAST_RATIO, MOST_RATIO = 1e-12, 1e12


@dataclass(frozen=True)
class _Column:
    """A target in the coordinates of the features' singular vectors."""

    energy: np.ndarray
    """[rank]: its squared coordinates."""
    outside: float
    """The square of what no features reach."""


def logme(features: np.ndarray, targets: np.ndarray) -> float:
    """The mean log evidence a row of features [rows, width] for targets [rows, columns]: one-hot
    labels, labels that a row has (0 or 1), or numbers.

    A column y is modelled as N(F w, 1 / beta) with w of N(0, 1 / alpha); its evidence is p(y | F)
    where alpha and beta are those that make it largest, found by the fixed point of You et al.
    2022, "Ranking and Tuning Pre-trained Models", algorithm 3. Columns are averaged.
    """
    spectrum, energies = _spectrum(features.astype(np.float64), targets.astype(np.float64))
    wholes = (targets.astype(np.float64) ** 2).sum(0)
    outside = np.maximum(wholes - energies.sum(0), LEAST * wholes)
    each = [
        _largest(_Column(energy, float(left)), spectrum, features.shape)
        for energy, left in zip(energies.T, outside, strict=True)
    ]
    return float(np.mean(each)) / len(features)


def _spectrum(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The squares of the features' singular values [rank], and of the targets' coordinates along
    their left singular vectors [rank, columns], by the smaller of the two Gram matrices."""
    rows, width = features.shape
    gram = features @ features.T if rows <= width else features.T @ features
    spectrum, vectors = np.linalg.eigh(gram)
    kept = spectrum > spectrum.max(initial=0.0) * max(rows, width) * np.finfo(np.float64).eps
    spectrum, vectors = spectrum[kept], vectors[:, kept]
    if rows <= width:
        return spectrum, (vectors.T @ targets) ** 2
    return spectrum, (vectors.T @ (features.T @ targets)) ** 2 / spectrum[:, None]


def _largest(column: _Column, spectrum: np.ndarray, shape: tuple[int, ...]) -> float:
    """The evidence at its fixed point."""
    rows, width = shape
    if not column.energy.sum() + column.outside:  # a column of zeros is certain
        return 0.0
    ratio = 1.0
    for _ in range(ROUNDS):
        alpha, beta = precisions = _precisions(column, spectrum, rows, ratio)
        before, ratio = ratio, min(max(alpha / beta, LEAST_RATIO), MOST_RATIO)
        if abs(ratio - before) <= CLOSE * before:
            break
    return _evidence(column, spectrum, (rows, width), precisions)


def _precisions(
    column: _Column, spectrum: np.ndarray, rows: int, ratio: float
) -> tuple[float, float]:
    """alpha and beta that follow from their ``ratio``, by MacKay's update."""
    used = float((spectrum / (spectrum + ratio)).sum())
    weight, residual = _squares(column, spectrum, ratio)
    return max(used, LEAST) / max(weight, LEAST), max(rows - used, LEAST) / residual


def _squares(column: _Column, spectrum: np.ndarray, ratio: float) -> tuple[float, float]:
    """The square of the mean weights, and of what they leave."""
    weight = float((spectrum * column.energy / (spectrum + ratio) ** 2).sum())
    left = float((column.energy * (ratio / (spectrum + ratio)) ** 2).sum())
    return weight, left + column.outside


def _evidence(
    column: _Column, spectrum: np.ndarray, shape: tuple[int, int], precisions: tuple[float, float]
) -> float:
    """log p(y | F, alpha, beta), equation 2 of You et al. 2021."""
    (rows, width), (alpha, beta) = shape, precisions
    weight, residual = _squares(column, spectrum, alpha / beta)
    determinant = float(np.log(alpha + beta * spectrum).sum())
    determinant += (width - len(spectrum)) * math.log(alpha)
    fixed = rows * math.log(beta) + width * math.log(alpha) - rows * math.log(2 * math.pi)
    return (fixed - beta * residual - alpha * weight - determinant) / 2
