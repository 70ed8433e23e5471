"""Dynamic time warping (Sakoe and Chiba 1978): the cheapest way through rows and columns that never
goes back."""

from __future__ import annotations

import numpy as np

BOTH, DOWN, ALONG = 0, 1, 2
"""How a way came to a cell: from the row and the column before, from the row, from the column."""


def first_columns(costs: np.ndarray) -> np.ndarray:
    """Where each row begins on the cheapest way from the first cell to the last: [N, M] -> [N].

    >>> first_columns(np.array([[1, 1, 9, 9, 9], [9, 9, 1, 9, 9], [9, 9, 9, 1, 1]])).tolist()
    [0, 2, 3]
    """
    steps = _steps(np.asarray(costs, dtype=np.float64))
    row, column = steps.shape[0] - 1, steps.shape[1] - 1
    found = np.zeros(len(steps), dtype=np.int64)
    while row or column:
        step = steps[row, column]
        if step != ALONG:
            found[row] = column
            row -= 1
        column -= step != DOWN
    return found


def _steps(costs: np.ndarray) -> np.ndarray:
    """How the cheapest way came to each cell, [N, M] int8; all cells of a diagonal at once."""
    rows, columns = costs.shape
    steps = np.full((rows, columns), ALONG, dtype=np.int8)
    steps[1:, 0] = DOWN
    before, latest = np.full(rows, np.inf), np.full(rows, np.inf)
    latest[0] = costs[0, 0]
    for diagonal in range(1, rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows - 1, diagonal) + 1)
        ways = np.full((3, len(row)), np.inf)
        inner = row > 0
        ways[BOTH, inner], ways[DOWN, inner] = before[row[inner] - 1], latest[row[inner] - 1]
        ways[ALONG] = latest[row]
        chosen = _cheapest(ways)
        steps[row, diagonal - row] = chosen
        now = np.full(rows, np.inf)
        now[row] = ways[chosen, np.arange(len(row))] + costs[row, diagonal - row]
        before, latest = latest, now
    return steps


def _cheapest(ways: np.ndarray) -> np.ndarray:
    """The one that is cheaper than both others, or `ALONG`."""
    both, down, along = ways
    chosen = np.full(ways.shape[1], ALONG)
    chosen[(both < down) & (both < along)] = BOTH
    chosen[(down < both) & (down < along)] = DOWN
    return chosen
