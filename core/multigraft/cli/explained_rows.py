"""Explained rows on a console: each answer, and the units that raise and lower it most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from multigraft.evaluation.report.table import words
from multigraft.runtime.explain.explanation import Explanation

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.evaluation.explain.explanations import Explanations

MOST = 4
"""Units on each side that are named."""


def shown_rows(found: Explanations) -> Table:
    """A line for each row and method."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    several = len(found.methods) > 1
    for heading in ("row", *(["method"] if several else []), "answer", "raised by", "lowered by"):
        table.add_column(heading, overflow="fold")
    for row in found.rows:
        for method, each in row.by.items():
            cells = [row.place, *([method] if several else []), f"{each.of} {each.value:.4g}"]
            table.add_row(*map(words, (*cells, _named(each, 1), _named(each, -1))))
    return table


def _named(found: Explanation, sign: int) -> str:
    """The units that weigh most on one side, the weightiest first."""
    names = [name for units in found.units.values() for name in units.names]
    weights = sign * found.weights
    order = [place for place in np.argsort(-weights, kind="stable")[:MOST] if weights[place] > 0]
    return ", ".join(f"{names[place]} {sign * weights[place]:+.3f}" for place in order)
