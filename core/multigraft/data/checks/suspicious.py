"""Data warnings: groups in two splits, and values that can be read but say nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np

from multigraft.data.checks.sketches import Sketches
from multigraft.data.sources.table import Table

NAMED = 3


def group_notes(splits: Mapping[str, Table], column: str) -> Iterator[str]:
    """Warn of groups that stand in two splits, where these are files of their own."""
    groups = {
        split: {str(value) for value in table.cells(column) if value is not None}
        for split, table in splits.items()
        if column in table.columns
    }
    for other, split in combinations(groups, 2):
        both = sorted(groups[other] & groups[split])
        if both:
            yield (
                f"{len(both)} of {len(groups[split])} groups in {split} (column {column!r}) are "
                f"also in {other}; give each group to one file: "
                f"{_first([repr(group) for group in both])}"
            )


def flaw_notes(
    splits: Mapping[str, Table], sketches: Mapping[str, Sketches], flaws: Sequence[str]
) -> Iterator[str]:
    """Warn of rows that can be read but look wrong."""
    for split, table in splits.items():
        found = sketches[split].flaws[sketches[split].at]
        for number, flaw in enumerate(flaws, start=1):
            rows = np.flatnonzero(found == number).tolist()
            if rows:
                places = [table.place(row) for row in rows[: NAMED + 1]]
                yield f"{len(rows)} of {len(table)} {split} rows: {flaw}: {_first(places)}"


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
