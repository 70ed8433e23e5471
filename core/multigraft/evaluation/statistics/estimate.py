"""Estimate record: a figure with the method that gave it, its interval, p-value and counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from multigraft.contracts.report import Measure


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A figure, and by which method it was got of how many observations."""

    method: str
    """In words, as ``paired bootstrap over rows``."""
    value: float
    low: float | None = None
    high: float | None = None
    """Both ends of the interval; None where the method gives none."""
    p: float | None = None
    """Two-sided; None where nothing was tested."""
    n: int
    """Observations: rows, or what the method says (seeds, splits, tasks)."""
    seeds: int = 1
    """Trainings that it is a mean of."""
    confidence: float = 0.95

    @property
    def measure(self) -> Measure:
        """As a report shows it."""
        return Measure(self.value, self.low, self.high)

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def vector(values: Sequence[float] | np.ndarray, *, least: int, what: str) -> np.ndarray:
    """Numbers as an array [N]. Raises ValueError for another shape, too few, or one that is no
    finite number."""
    found = np.asarray(values, dtype=float)
    if found.ndim != 1:
        raise ValueError(f"{what} are an array [N]; found the shape {list(found.shape)}")
    return _checked(found, least, what)


def matrix(
    values: Sequence[Sequence[float] | np.ndarray] | np.ndarray, *, least: int, what: str
) -> np.ndarray:
    """Numbers as an array [M, N], at least ``least`` either way. Raises ValueError as `vector`
    does."""
    found = np.asarray(values, dtype=float)
    if found.ndim != 2:
        raise ValueError(f"{what} are an array [M, N]; found the shape {list(found.shape)}")
    return _checked(found, least, what)


def pair(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, *, least: int = 2
) -> tuple[np.ndarray, np.ndarray]:
    """Two scores of the same rows, [N] each. Raises ValueError where they are not as many."""
    found = vector(first, least=least, what="scores"), vector(second, least=least, what="scores")
    if len(found[0]) != len(found[1]):
        raise ValueError(
            f"scores of {len(found[0])} and {len(found[1])} rows cannot be paired; give both of "
            "the same rows in the same order"
        )
    return found


def _checked(found: np.ndarray, least: int, what: str) -> np.ndarray:
    if min(found.shape) < least:
        raise ValueError(f"{what} of the shape {list(found.shape)}; at least {least} are needed")
    if not np.isfinite(found).all():
        raise ValueError(f"{what} hold {int((~np.isfinite(found)).sum())} that are no numbers")
    return found
