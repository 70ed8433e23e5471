"""Stray quotes: cells that swallowed other rows between two quotes opened by mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

SWALLOWED = (
    "a cell holds lines that look like rows; is a quote not closed? where quotes are only text, "
    "set data.quotes: off"
)
FREQUENT = 2
"""So many rows must have a value before it tells a column from prose."""


def swallowing(rows: Sequence[Sequence[str]], separator: str) -> list[int]:
    """Find rows with a cell in which a whole line reads as a row of this file.

    Prose has lines with as many separators as a row, so another cell of the line must fit its
    column too: be a value that the column repeats (a label), or a number where the column holds
    numbers alone.
    """
    width = len(rows[0]) if rows else 0
    asked = {
        row: found for row, cells in enumerate(rows) if (found := _likely(cells, separator, width))
    }
    if width < 2 or not asked:
        return []
    columns = [Counter(values) for values in zip(*rows, strict=True)]
    numbers = [all(_is_number(value) for value in values if value) for values in columns]

    def fits(line: Sequence[str]) -> bool:
        cells = [cell.strip(' "') for cell in line]
        return any(
            columns[place][cell] >= FREQUENT or (numbers[place] and _is_number(cell))
            for place, cell in enumerate(cells)
            if cell
        )

    return [row for row, lines in asked.items() if any(map(fits, lines))]


def _likely(cells: Sequence[str], separator: str, width: int) -> list[list[str]]:
    """The lines within cells, but for their first, that have as many cells as a row."""
    return [
        line.split(separator)
        for line in _further_lines(cells)
        if line.count(separator) == width - 1
    ]


def _further_lines(cells: Sequence[str]) -> Iterator[str]:
    for cell in cells:
        if "\n" in cell:
            yield from cell.split("\n")[1:]


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True
