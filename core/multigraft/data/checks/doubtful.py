"""What can be read but should be looked at: groups in two parts, values that say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from multigraft.data.checks.sketches import Sketches
from multigraft.data.sources.table import Table

NAMED = 3


def group_notes(parts: Mapping[str, Table], column: str) -> Iterator[str]:
    """Which groups stand in two parts all the same, because these are files of their own."""
    groups = {
        part: {str(value) for value in table.cells(column) if value is not None}
        for part, table in parts.items()
        if column in table.columns
    }
    for other, part in combinations(groups, 2):
        both = sorted(groups[other] & groups[part])
        if both:
            yield (
                f"{len(both)} of {len(groups[part])} groups in {part} (column {column!r}) are also "
                f"in {other}; give each group to one file: "
                f"{_first([repr(group) for group in both])}"
            )


def flaw_notes(
    parts: Mapping[str, Table], sketches: Mapping[str, Sketches], flaws: Sequence[str]
) -> Iterator[str]:
    """Which rows can be read but look wrong."""
    for part, table in parts.items():
        found = sketches[part].flaws[sketches[part].at]
        for number, flaw in enumerate(flaws, start=1):
            rows = np.flatnonzero(found == number).tolist()
            if rows:
                places = [table.place(row) for row in rows[: NAMED + 1]]
                yield f"{len(rows)} of {len(table)} {part} rows: {flaw}: {_first(places)}"


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
