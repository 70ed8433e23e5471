"""Rows of arrays compared and described."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from multigraft.records import Arrays


def copied(row: Arrays) -> Arrays:
    """The same numbers in other memory."""
    return {name: np.array(array, copy=True) for name, array in row.items()}


def gap(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> str:
    """What tells two rows apart, in a clause; empty where nothing does."""
    if one.keys() != other.keys():
        return f"the arrays are {sorted(one)} and {sorted(other)}"
    for name in one:
        first, second = one[name], other[name]
        if (first.dtype, first.shape) != (second.dtype, second.shape):
            return f"{name!r} is {first.dtype}{list(first.shape)} and {second.dtype}{list(second.shape)}"
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
