"""Multiple comparisons: p-values adjusted for how many were computed together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float] | np.ndarray) -> np.ndarray:
    """Adjust the p-values [N] of one family by Holm's step-down procedure (Holm 1979).

    Rejecting what is at most 0.05 afterwards, some true hypothesis is rejected in at most 5% of
    families, however the tests depend on each other. Raises ValueError for what is no p-value.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    found = np.asarray(p, dtype=float)
    if found.ndim != 1 or not ((found >= 0) & (found <= 1)).all():
        raise ValueError("p-values are numbers from 0 to 1 in an array [N]")
    order = np.argsort(found, kind="stable")
    steps = np.maximum.accumulate(found[order] * np.arange(len(found), 0, -1))
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted
