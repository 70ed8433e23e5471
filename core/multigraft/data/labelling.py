"""Labelling: the labels of rows as numbers, one a row or several, for drawing rows by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.models.tasks.shared import label_name


@dataclass(frozen=True)
class Labelling:
    """Which labels stand in which rows."""

    classes: np.ndarray
    """[rows] int64: the label that a row is drawn by; of several its rarest, as that is the one
    which a draw could miss. No label is one too."""
    rows: np.ndarray
    """[pairs] int64: the row of each pair of a row and a label."""
    labels: np.ndarray
    """[pairs] int64: its label."""

    def cover(self, order: np.ndarray) -> np.ndarray:
        """The places in ``order`` [N] of rows, the first that has a label which none before it
        has: together they have all labels."""
        place = np.full(len(self.classes), len(order))
        place[order] = np.arange(len(order))
        places = place[self.rows]
        first = np.full(int(self.labels.max(initial=-1)) + 1, len(order))
        np.minimum.at(first, self.labels, places)
        return np.unique(first[first < len(order)])


def labelling(values: Sequence[Any] | None, rows: int) -> Labelling:
    """Number the labels of each row: a value is a label, a tuple holds several; None: all alike.

    Numbers follow the order of the labels' text, so that the order of rows has no say.
    """
    if values is None:
        return _single(np.zeros(rows, dtype=np.int64))
    if not any(isinstance(value, tuple) for value in values):
        return _single(codes(values))
    several = [value if isinstance(value, tuple) and value else ("",) for value in values]
    places = np.repeat(np.arange(rows), [len(value) for value in several])
    labels = codes([label for value in several for label in value])
    return Labelling(_rarest(places, labels), places, labels)


def codes(values: Iterable[Any]) -> np.ndarray:
    """Number the different values in the order of their text; as labels they are the same where
    `label_name` says so."""
    met: dict[str, int] = {}
    numbers = np.fromiter(
        (met.setdefault(label_name(value), len(met)) for value in values), dtype=np.int64
    )
    ranks = np.empty(len(met), dtype=np.int64)
    ranks[[met[text] for text in sorted(met)]] = np.arange(len(met))
    return ranks[numbers]


def _single(classes: np.ndarray) -> Labelling:
    return Labelling(classes, np.arange(len(classes)), classes)


def _rarest(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[rows]: the least frequent label of each row, of equal ones the first."""
    order = np.lexsort((labels, np.bincount(labels)[labels], rows))
    _, first = np.unique(rows[order], return_index=True)
    rarest: np.ndarray = labels[order][first]
    return rarest
