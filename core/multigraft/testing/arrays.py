"""Compare and describe rows of arrays, and answers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from multigraft.contracts.types import Arrays

NEAR = 1e-3
"""How far numbers of the same answer may lie apart."""


def copied(row: Arrays) -> Arrays:
    """The same numbers in other memory."""
    return {name: np.array(array, copy=True) for name, array in row.items()}


def gap(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> str:
    """Say in a clause what tells two rows apart; empty where nothing does."""
    if one.keys() != other.keys():
        return f"the arrays are {sorted(one)} and {sorted(other)}"
    for name in one:
        first, second = one[name], other[name]
        if (first.dtype, first.shape) != (second.dtype, second.shape):
            return (
                f"{name!r} is {first.dtype}{list(first.shape)} and "
                f"{second.dtype}{list(second.shape)}"
            )
        if first.tobytes() != second.tobytes():
            return f"the numbers of {name!r} differ"
    return ""


def digest(row: Mapping[str, np.ndarray]) -> str:
    """Stands for a row's names, types, shapes and numbers, in every process."""
    found = hashlib.sha256()
    for name in sorted(row):
        array = np.ascontiguousarray(row[name])
        found.update(f"{name}:{array.dtype.str}:{array.shape};".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def alike(one: Any, other: Any) -> bool:
    """Tell whether two answers say the same, but for rounding."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=NEAR, abs_tol=NEAR)
    return bool(one == other)
