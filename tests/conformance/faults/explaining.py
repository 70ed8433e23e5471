"""Faults of units, and of explainers."""

from __future__ import annotations

from typing import Any

import numpy as np

import multigraft as mg
from conformance.faults.good import Reader
from multigraft.contracts.types import Arrays


class Unitised(Reader):
    """The readings with a unit for each number, which is 0 where it is hidden."""

    def units(self, raw: Any, row: Arrays) -> mg.Units:
        count = len(row["values"])
        return mg.Units(
            kind="fields",
            names=tuple(raw.split()),
            places=np.zeros((count, 0)),
            hide=lambda hidden: self.hide(row, hidden),
        )

    def hide(self, row: Arrays, hidden: np.ndarray) -> Arrays:
        return {**row, "values": np.where(hidden, 0, row["values"]).astype(np.float32)}


class Shortening(Unitised):
    def hide(self, row: Arrays, hidden: np.ndarray) -> Arrays:
        return {name: array[~hidden] for name, array in row.items()}


class Averaging(Unitised):
    """What stands for a hidden number depends on what else is hidden."""

    def hide(self, row: Arrays, hidden: np.ndarray) -> Arrays:
        mean = row["values"][~hidden].mean() if (~hidden).any() else 0.0
        return {**row, "values": np.where(hidden, mean, row["values"]).astype(np.float32)}


class HidingNothing(Unitised):
    def hide(self, row: Arrays, hidden: np.ndarray) -> Arrays:
        return dict(row)


class Elsewhere(Unitised):
    def units(self, raw: Any, row: Arrays) -> mg.Units:
        found = super().units(raw, row)
        return mg.Units(kind="patches", names=found.names, places=found.places, hide=found.hide)


def drawing(subject: Any, options: Any) -> mg.Attribution:
    return mg.Attribution(np.random.default_rng().normal(size=subject.count))


def upside_down(subject: Any, options: Any) -> mg.Attribution:
    hidden = np.eye(subject.count, dtype=bool)
    return mg.Attribution(subject.scores(hidden))


def too_few(subject: Any, options: Any) -> mg.Attribution:
    return mg.Attribution(np.ones(1))
