"""Confusion matrix: whole for a few labels, only the commonest errors for many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from multigraft.contracts.report import Confused, Confusion

WHOLE = 150
"""The most labels of which the matrix is kept: it grows with their square."""
FREQUENT = 100
"""How many of the errors are kept besides."""
Cell = Sequence[int]
"""The place of the expected label, of the answered one, and how many rows."""


def confusion_of(raw: Mapping[str, Any]) -> Confusion:
    """Read what `Objective.details` says: ``labels`` with the ``matrix``, or ``cells`` above 0."""
    labels: tuple[str, ...] = tuple(raw["labels"])
    cells = cells_of(raw)
    matrix = _matrix(cells, len(labels)) if len(labels) <= WHOLE else ()
    return Confusion(labels, matrix, _frequent(labels, cells))


def cells_of(raw: Mapping[str, Any]) -> Sequence[Cell]:
    """The cells above 0 of what `Objective.details` says."""
    return raw["cells"] if "cells" in raw else _cells(raw["matrix"])


def reduced(confusion: Confusion) -> Confusion:
    """Reduce a confusion matrix that an earlier version or a plugin made whole."""
    if not confusion.matrix or confusion.frequent:
        return confusion
    return confusion_of({"labels": confusion.labels, "matrix": confusion.matrix})


def _cells(matrix: Sequence[Sequence[int]]) -> list[Cell]:
    return [
        (row, column, count)
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if count
    ]


def _matrix(cells: Sequence[Cell], size: int) -> tuple[tuple[int, ...], ...]:
    whole = [[0] * size for _ in range(size)]
    for row, column, count in cells:
        whole[row][column] += count
    return tuple(map(tuple, whole))


def _frequent(labels: Sequence[str], cells: Sequence[Cell]) -> tuple[Confused, ...]:
    of: Counter[int] = Counter()
    for row, _, count in cells:
        of[row] += count
    wrong = sorted((cell for cell in cells if cell[0] != cell[1]), key=lambda cell: -cell[2])
    return tuple(
        Confused(labels[row], labels[column], count, of[row])
        for row, column, count in islice(wrong, FREQUENT)
    )
