"""Content of a row in short: what a person recognises it by in a report."""

from __future__ import annotations

from multigraft.data.rows import Rows

LONGEST = 300
"""The most characters of it."""


def content_of(rows: Rows, index: int) -> str | None:
    """The text, number or path in a row's raw columns, with their names where there are several;
    None where they hold nothing that can be written."""
    row, columns = rows.row(index), rows.table.content.raw
    cells = {name: row[name] for name in columns if isinstance(row.get(name), str | int | float)}
    told = [str(cell) if len(cells) == 1 else f"{name}: {cell}" for name, cell in cells.items()]
    text = " ".join(", ".join(told).split())
    return (text if len(text) <= LONGEST else text[: LONGEST - 1] + "…") or None
