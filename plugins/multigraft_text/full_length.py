"""Rows of one length, for networks that were trained to read padding as they read tokens."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from multigraft.contracts.types import Arrays


def full_length(row: Arrays, length: int, fills: Mapping[str, float]) -> Arrays:
    """A row padded to ``length`` positions, which the mask then calls real: that is how SigLIP
    reads texts (Zhai et al. 2023), and pools the last of them.

    >>> row = {"input_ids": np.array([5, 1]), "attention_mask": np.array([1, 1])}
    >>> full_length(row, 4, {"input_ids": 0, "attention_mask": 0})["input_ids"].tolist()
    [5, 1, 0, 0]
    """
    fills = {**fills, "attention_mask": 1}
    return {
        name: _padded(values, length, fills[name]) if name in fills else values
        for name, values in row.items()
    }


def _padded(values: np.ndarray, length: int, fill: float) -> np.ndarray:
    behind = [(0, length - len(values)), *[(0, 0)] * (values.ndim - 1)]
    return np.pad(values, behind, constant_values=fill)
