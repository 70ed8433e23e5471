"""The value that is explained: its units, hidden at will, and the number that is answered then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from multigraft.contracts.answers import ExplainedNumber
from multigraft.contracts.branches import BranchesReader, join_branches, of_branch
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import row_errors
from multigraft.contracts.types import Arrays
from multigraft.contracts.units import UnitReader, Units
from multigraft.errors import PredictError

TOGETHER = 32
"""Rows that are in memory at a time."""
Compute = Callable[[Sequence[Arrays]], Sequence[Arrays]]
"""Rows -> the outputs for each."""


@dataclass(eq=False)
class RowSubject:
    """One row and the number of its answer that is explained (see `explaining.Subject`)."""

    row: Arrays
    units: Mapping[str, Units]
    number_in: ExplainedNumber
    compute: Compute
    seed: int = 0
    calls: int = field(default=0, init=False)
    """Rows that were computed."""

    @property
    def count(self) -> int:
        """The units of all branches."""
        return sum(map(len, self.units.values()))

    def hide(self, hidden: np.ndarray) -> Arrays:
        """The row with these units hidden, bool [U]."""
        if "" in self.units:
            return self.units[""].hide(hidden)
        parts = split_units(hidden, self.units)
        own = {branch: self.units[branch].hide(part) for branch, part in parts.items()}
        return {**self.row, **join_branches(own)}

    def scores(self, hidden: np.ndarray) -> np.ndarray:
        """bool [N, U] -> the explained number [N] with these units hidden."""
        found: list[float] = []
        for start in range(0, len(hidden), TOGETHER):
            rows = [self.hide(each) for each in hidden[start : start + TOGETHER]]
            found += map(self.number_of, self.compute(rows))
            self.calls += len(rows)
        return np.array(found, dtype=np.float64)

    def number_of(self, outputs: Arrays) -> float:
        """The explained number in the outputs of one row."""
        return float(outputs[self.number_in.output][self.number_in.place])


def split_units(values: np.ndarray, units: Mapping[str, Units]) -> dict[str, np.ndarray]:
    """The share of each branch in an array [U, ...] of all units."""
    ends = list(accumulate(map(len, units.values())))
    starts = [0, *ends[:-1]]
    return {
        branch: values[start:end] for branch, start, end in zip(units, starts, ends, strict=True)
    }


def units_of(reader: Reader, raw: Any, row: Arrays, *, modality: str) -> dict[str, Units]:
    """The units of a row, of each branch that has a value. Raises PredictError where a reader names
    none, RowError for what it would refuse."""
    if not isinstance(reader, BranchesReader):
        return {"": _own_units(reader, raw, row, modality)}
    there = {name: each for name, each in reader.branches.items() if raw.get(name) is not None}
    return {
        name: _own_units(each.own, raw[name], of_branch(name, row), name)
        for name, each in there.items()
    }


def _own_units(reader: Reader, raw: Any, row: Arrays, name: str) -> Units:
    if not isinstance(reader, UnitReader):
        raise PredictError(nameless(name))
    with row_errors():
        return reader.units(raw, row)


def nameless(modality: str) -> str:
    """Why values of a modality cannot be explained."""
    return (
        f"answers about {modality!r} cannot be explained: its reader names no units of a value "
        "(UnitReader in docs/plugins/hooks.md)"
    )


def one_each(count: int) -> np.ndarray:
    """bool [U, U]: each unit hidden alone."""
    return np.eye(count, dtype=bool)


def none_and_all(count: int) -> np.ndarray:
    """bool [2, U]: nothing hidden, everything hidden."""
    return np.array([[False] * count, [True] * count])
