"""Parts of like length of a batch whose rows were drawn at random: each is padded by itself."""

from __future__ import annotations

import numpy as np


def length_parts(lengths: np.ndarray, members: np.ndarray, *, per_pass: float) -> list[np.ndarray]:
    """Cut a batch into parts of like length, so that positions and passes together cost least.

    ``per_pass`` is what a pass over one part costs besides its positions, counted in positions: it
    decides how many parts there are. Longest rows first, rows of equal length in their order; a
    batch for which one part costs least is given as it is. Exact, by dynamic programming over the
    sorted rows: O(rows^2).

    >>> [part.tolist() for part in length_parts(np.array([9, 2, 8, 2]), np.arange(4), per_pass=5)]
    [[0, 2], [1, 3]]
    >>> [part.tolist() for part in length_parts(np.array([9, 2, 8, 2]), np.arange(4), per_pass=50)]
    [[0, 1, 2, 3]]
    """
    order = members[np.argsort(-lengths[members], kind="stable")]
    cuts = _cheapest_cuts(lengths[order], per_pass)
    return np.split(order, cuts) if cuts else [members]


def _cheapest_cuts(lengths: np.ndarray, per_pass: float) -> list[int]:
    """Where rows that are sorted from long to short are cut; nowhere for equal lengths."""
    count = len(lengths)
    costs, begins = np.zeros(count + 1), np.zeros(count + 1, dtype=np.int64)
    firsts = np.arange(count)
    for end in range(1, count + 1):
        found = costs[:end] + per_pass + (end - firsts[:end]) * lengths[:end]
        begins[end] = found.argmin()
        costs[end] = found[begins[end]]
    cuts, at = list[int](), int(begins[count])
    while at > 0:
        cuts.append(at)
        at = int(begins[at])
    return cuts[::-1]
