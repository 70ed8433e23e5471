"""Explained rows on a console: each answer, and the units that raise and lower it most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from multigraft.evaluation.report.table import words
from multigraft.runtime.explain.explanation import Explanation

if TYPE_CHECKING:
    from rich.table import Table

    from multigraft.evaluation.explain.explanations import ExplainedRow, Explanations

FEW = 3
"""Typed values that are shown with all methods."""
MOST = 4
"""Units on each side that are named there."""
STRONGEST = 3
"""Units that are named in a line."""
FAINT = 0.01
"""A weight below this share of the largest is not named."""
LEAST = 24
"""Characters that a column has at least, where it needs them."""
SHORT = 24
"""Characters of a text, or of a place, in a line."""


def shown_rows(found: Explanations) -> Table:
    """A line for each row and method, with units on both sides."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    several = len(found.methods) > 1
    for heading in ("row", *(["method"] if several else []), "answer", "raised by", "lowered by"):
        table.add_column(heading, overflow="fold")
    for row in found.rows:
        for method, each in row.by.items():
            cells = [row.place, *([method] if several else []), _answer(row, each)]
            table.add_row(*map(words, (*cells, _named(each, 1), _named(each, -1))))
    return table


def row_lines(found: Explanations) -> Table:
    """One line for each row: its text shortened, its answer, and the strongest units by the first
    method. All of it is on the page."""
    from rich import box
    from rich.table import Table

    method = found.methods[0]
    told = any(row.expected is not None for row in found.rows)
    lines = [_line(row, row.by[method], told=told) for row in found.rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    headings = ("row", "answer", *(["expected"] if told else []))
    for place, heading in enumerate(headings):
        widest = max(len(heading), *(len(cells[place]) for cells, _ in lines))
        table.add_column(heading, no_wrap=True, min_width=min(widest, LEAST))
    table.add_column(f"due to ({method})", no_wrap=True)
    for cells, style in lines:
        table.add_row(*map(words, cells), style=style)
    return table


def _line(row: ExplainedRow, each: Explanation, *, told: bool) -> tuple[list[str], str]:
    """The cells of one row, and their style."""
    expected = row.expected
    right = None if expected is None else expected.right
    verdict = "" if expected is None else expected.text
    verdict = {True: "right", False: f"wrong: {verdict}", None: verdict}[right]
    cells = [_shown(row, each), _number(each), *([verdict] if told else []), _strongest(each)]
    return cells, "yellow" if right is False else ""


def _answer(row: ExplainedRow, each: Explanation) -> str:
    """The explained number, and what was expected where the answer is not that."""
    number, expected = _number(each), row.expected
    if each.explained_value is not None:
        number += f" ({each.precision} {each.explained_value:.3g})"
    if expected is None or expected.right:
        return number
    wrong = "wrong, " if expected.right is False else ""
    return f"{number} ({wrong}expected {expected.text})"


def _number(each: Explanation) -> str:
    return f"{each.of} {each.value:.3g}"


def _shown(row: ExplainedRow, each: Explanation) -> str:
    """The beginning of a text in one line, else the end of where the row stands."""
    for units in each.units.values():
        if units.kind == "words" and units.shown:
            text = " ".join(" ".join(units.shown).split())
            return text if len(text) <= SHORT else f"{text[: SHORT - 3]}..."
    place = row.place
    return place if len(place) <= SHORT else f"...{place[3 - SHORT :]}"


def _strongest(found: Explanation) -> str:
    """The units that weigh most, each behind the sign of its weight."""
    names = _names(found)
    order = np.argsort(-np.abs(found.weights), kind="stable")[:STRONGEST]
    signs = {place: "+" if found.weights[place] > 0 else "-" for place in order.tolist()}
    return ", ".join(
        f"{sign}{names[place]}" for place, sign in signs.items() if _counts(found, place)
    )


def _named(found: Explanation, sign: int) -> str:
    """The units that weigh most on one side, the weightiest first."""
    names = _names(found)
    weights = sign * found.weights
    order = [place for place in np.argsort(-weights, kind="stable")[:MOST] if weights[place] > 0]
    return ", ".join(
        f"{names[place]} {sign * weights[place]:+.3g}" for place in order if _counts(found, place)
    )


def _names(found: Explanation) -> list[str]:
    return [name for units in found.units.values() for name in units.names]


def _counts(found: Explanation, place: int) -> bool:
    """Whether a weight is not tiny beside the largest."""
    largest = float(np.abs(found.weights).max())
    return largest > 0 and abs(float(found.weights[place])) >= FAINT * largest
