"""Rows of two values that belong together, without torch: which value is which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.branches import PRESENT, of_branch
from multigraft.contracts.report import Baseline
from multigraft.contracts.row_objectives import KeptOfRow, Row, RowBrief, RowObjective
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError
from multigraft.runtime.answers.embeddings import id_of, value_id


class PairRows(RowObjective):
    """Rows whose values of one branch are each to find their own among all of the other's."""

    monitor = "mrr"
    greater_is_better = True

    def __init__(self, brief: RowBrief) -> None:
        reader: Any = brief.reader
        self.names: tuple[str, ...] = tuple(reader.branches)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """A number of each value, equal for equal ones. Raises RowError where one is missing."""
        for place, name in enumerate(self.names):
            if not arrays[PRESENT][place]:
                raise RowError(
                    f"there is no {name!r}: a pair has both, {' and '.join(map(repr, self.names))}",
                    column=name,
                )
        return {id_of(name): value_id(of_branch(name, arrays)) for name in self.names}

    def keep(self, outputs: Sequence[Arrays], arrays: Arrays) -> KeptOfRow:
        """Which value is which; what is found among all rows the answers tell."""
        return {id_of(name): arrays[id_of(name)] for name in self.names}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """A random order, which puts each candidate first as often."""
        chance = float(np.mean([1 / self._different(kept, name) for name in self.names]))
        return Baseline("recall_at_1", chance, "a random order")

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Among how many different values each had to be found."""
        counts = [str(self._different(kept, name)) for name in self.names]
        heading = tuple(f"different values of {name}" for name in self.names)
        return {"tables": {"what was ranked": ((*heading, "rows"), (*counts, str(_rows(kept))))}}

    def _different(self, kept: Mapping[str, np.ndarray], name: str) -> int:
        return len(np.unique(kept[id_of(name)]))


def _rows(kept: Mapping[str, np.ndarray]) -> int:
    return len(next(iter(kept.values())))
