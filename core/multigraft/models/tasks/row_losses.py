"""Losses of one row's outputs, as torch computes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np


def cross_entropy(
    logits: np.ndarray, label: int, *, weights: np.ndarray | None, smoothing: float
) -> float:
    """`torch.nn.functional.cross_entropy` of one row's logits [classes], with a weight for each
    class and label smoothing.

    >>> round(cross_entropy(np.zeros(2), 0, weights=None, smoothing=0.0), 6)
    0.693147
    """
    shifted = logits.astype(np.float64) - float(logits.max())
    each = np.log(np.exp(shifted).sum()) - shifted
    each = each if weights is None else each * weights
    return float((1 - smoothing) * each[label] + smoothing * each.mean())


def binary_cross_entropy(logits: np.ndarray, held: np.ndarray) -> np.ndarray:
    """That of each logit with whether it is true, [...]."""
    wide = logits.astype(np.float64)
    loss: np.ndarray = np.maximum(wide, 0) - wide * held + np.log1p(np.exp(-np.abs(wide)))
    return loss


def squared(error: np.ndarray) -> np.ndarray:
    """The square of an error."""
    return error**2


def huber(error: np.ndarray) -> np.ndarray:
    """Half the square of an error up to 1, and beyond it the line that goes on there."""
    size = np.abs(error)
    loss: np.ndarray = np.where(size < 1, error**2 / 2, size - 0.5)
    return loss


ERRORS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "mse": squared,
    "mae": np.abs,
    "huber": huber,
}
"""By the names that regression has for them."""
