"""Fields of a row, as the units of explanations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.contracts.units import Units
from multigraft_table.encodings import MISSING, Column


def field_units(columns: Sequence[Column], held: Mapping[str, Any], row: Arrays) -> Units:
    """The columns that hold something; a hidden one is missing."""
    there = [place for place, column in enumerate(columns) if held.get(column.name) is not None]
    numbers = _slices([len(column.scales) for column in columns])
    categories = _slices([len(column.sizes) for column in columns])
    own = [(numbers[place], categories[place]) for place in there]
    return Units(
        kind="fields",
        names=tuple(columns[place].name for place in there),
        places=np.zeros((len(there), 0)),
        hide=partial(_hidden, row, own),
        shown=tuple(str(held[columns[place].name]) for place in there),
    )


def _slices(sizes: Sequence[int]) -> list[slice]:
    ends = list(accumulate(sizes))
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]


def _hidden(row: Arrays, own: Sequence[tuple[slice, slice]], hidden: np.ndarray) -> Arrays:
    found = {name: array.copy() for name, array in row.items()}
    for unit in np.flatnonzero(hidden).tolist():
        numbers, categories = own[unit]
        for name, value, part in (
            ("values", 0, numbers),
            ("missing", 1, numbers),
            ("categories", MISSING, categories),
        ):
            if name in found:
                found[name][part] = value
    return found
