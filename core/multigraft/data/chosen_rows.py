"""Some rows of a split, as those that have a value of one branch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.contracts.reader import Reader
from multigraft.contracts.row_objectives import RowObjective
from multigraft.contracts.types import Arrays
from multigraft.data.rows import Rows


@dataclass(frozen=True)
class ChosenRows:
    """Some rows of a split, numbered anew."""

    rows: Rows
    numbers: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def reader(self) -> Reader:
        """The split's."""
        return self.rows.reader

    @property
    def objective(self) -> RowObjective:
        """The split's."""
        return self.rows.objective

    @property
    def lengths(self) -> np.ndarray:
        """[rows] int64: each row's `Reader.length`."""
        found: np.ndarray = self.rows.lengths[self.numbers]
        return found

    def fetch(self, index: int, names: Collection[str] | None) -> Arrays:
        """As `Rows.fetch`."""
        return self.rows.fetch(int(self.numbers[index]), names)

    def raw(self, index: int) -> Any:
        """The raw value of one row."""
        return self.rows.raw(int(self.numbers[index]))


SomeRows = Rows | ChosenRows
