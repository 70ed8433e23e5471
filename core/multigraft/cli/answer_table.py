"""Answers on a terminal: a column a field; what was found in a value a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

LINES = 20
"""What was found in one value, at most; the rest is counted."""
NUMBERS = 4
"""A list of so many numbers at most, as a box, is a cell."""


def table(values: Sequence[Any], answers: Sequence[Mapping[str, Any]]) -> Table:
    """Inputs and answers side by side."""
    from rich import box
    from rich.table import Table

    from multigraft.evaluation.report.table import words

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    shown.add_column("input", overflow="fold", max_width=60)
    rows = [_columns(answer) for answer in answers]
    headings = list(dict.fromkeys(key for row in rows for key in row))
    for heading in headings:
        shown.add_column(words(heading), overflow="fold")
    for value, row in zip(values, rows, strict=True):
        shown.add_row(*map(words, [_cell(value), *(row.get(each, "") for each in headings)]))
    return shown


def _columns(answer: Mapping[str, Any]) -> dict[str, str]:
    """An answer's cells: of a list of what was found, one for each of its fields that a line
    holds."""
    found: dict[str, str] = {}
    for name, value in answer.items():
        if isinstance(value, list) and value and all(isinstance(each, Mapping) for each in value):
            found |= _found(value)
        elif isinstance(value, list) and not value:
            found[name] = "none"
        else:
            found[name] = _cell(value)
    return found


def _found(things: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """A line for each thing, by field; masks and the like have no words and are left out."""
    names = dict.fromkeys(name for each in things for name in each)
    more = [f"... and {len(things) - LINES} more"] if len(things) > LINES else []
    return {
        name: "\n".join([*(_cell(each.get(name)) for each in things[:LINES]), *more])
        for name in names
        if all(_in_a_line(each.get(name)) for each in things)
    }


def _in_a_line(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) <= NUMBERS and not any(isinstance(each, list | dict) for each in value)
    return not isinstance(value, Mapping)


def _cell(value: Any) -> str:
    """A value of an answer in a line or a few."""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, Mapping):
        return "\n".join(f"{name} {_cell(inner)}" for name, inner in list(value.items())[:5])
    if isinstance(value, list | tuple):
        short = ", ".join(_cell(inner) for inner in value[:6])
        return f"{short}, ... ({len(value)})" if len(value) > 6 else short
    return "" if value is None else str(value)
