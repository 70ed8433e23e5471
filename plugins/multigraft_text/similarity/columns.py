"""Arrays of several texts a row: read beside the text, and stacked into one batch behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from multigraft.contracts.padding import Fills, fill_of
from multigraft.contracts.types import Arrays


def prefixed(prefix: str, row: Arrays, fills: Fills) -> Arrays:
    """The arrays of another text of a row that vary in length, under names of their own."""
    return {f"{prefix}_{name}": row[name] for name in fills}


def prefixed_fills(prefixes: Sequence[str], fills: Fills) -> Fills:
    """What pads them."""
    return {f"{prefix}_{name}": fill for prefix in prefixes for name, fill in fills.items()}


def stacked(batch: Arrays, prefixes: Sequence[str], fills: Fills) -> Arrays:
    """A batch whose texts stand below each other: [B, T] of each -> [B * texts, longest T], first
    the rows' own, then those of each prefix; other arrays stay [B, ...].

    >>> batch = {"x": np.array([[1]]), "positive_x": np.array([[2, 3]])}
    >>> stacked(batch, ["positive"], {"x": 0})["x"].tolist()
    [[1, 0], [2, 3]]
    """
    own = {
        name: _below([batch[name], *(batch[f"{each}_{name}"] for each in prefixes)], fill)
        for name, fill in _values(fills).items()
    }
    gone = prefixed_fills(prefixes, fills)
    return {**{name: array for name, array in batch.items() if name not in gone}, **own}


def _values(fills: Fills) -> Mapping[str, float]:
    return {name: fill_of(fill).value for name, fill in fills.items()}


def _below(arrays: Sequence[np.ndarray], fill: float) -> np.ndarray:
    shape = sum(map(len, arrays)), max(array.shape[1] for array in arrays), *arrays[0].shape[2:]
    found = np.full(shape, fill, arrays[0].dtype)
    start = 0
    for array in arrays:
        found[start : start + len(array), : array.shape[1]] = array
        start += len(array)
    return found
