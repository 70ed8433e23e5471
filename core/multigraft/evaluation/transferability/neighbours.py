"""k-nearest neighbours, leave-one-out: each row is answered by the rows nearest to it."""

from __future__ import annotations

import numpy as np

BLOCK = 1024
"""Rows whose similarities to all others are held in memory at once."""


def leave_one_out(features: np.ndarray, targets: np.ndarray, *, neighbours: int) -> np.ndarray:
    """The mean of ``targets`` [rows, columns] over the ``neighbours`` nearest other rows of each,
    [rows, columns], by the cosine of features [rows, width] (as Wu et al. 2018).

    Of one-hot labels that is each label's share of the votes.
    """
    if not 0 < neighbours < len(features):
        raise ValueError(
            f"{neighbours} neighbours of {len(features)} rows; from 1 to {len(features) - 1} can be"
        )
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    turned = features / np.maximum(lengths, np.finfo(features.dtype).tiny)
    found = [
        targets[_nearest(turned, start, neighbours)].mean(1)
        for start in range(0, len(turned), BLOCK)
    ]
    return np.concatenate(found)


def _nearest(turned: np.ndarray, start: int, neighbours: int) -> np.ndarray:
    """[block, neighbours]: the rows most alike to each of a block, itself apart."""
    alike = turned[start : start + BLOCK] @ turned.T
    own = np.arange(len(alike))
    alike[own, start + own] = -np.inf
    nearest: np.ndarray = np.argpartition(-alike, neighbours - 1, axis=1)[:, :neighbours]
    return nearest
