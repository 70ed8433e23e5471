"""Workbooks of Excel: the first sheet's rows, under the names in its first one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from multigraft.contracts.formats import PLAIN, Layout, Parsed
from multigraft.data.sources.cells import column
from multigraft.data.sources.delimited import name_columns, without_empty_end
from multigraft.data.sources.formats import check_names
from multigraft.errors import DataError, MissingDependency

NO_OPENPYXL = (
    'workbooks are read by openpyxl, which is not installed  ->  pip install "multigraft[excel]", '
    "or save the sheet as CSV in UTF-8"
)


def read_workbook(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read the first sheet; a cell is a text, a number, a truth, or a date as ISO 8601 writes it.

    Raises MissingDependency without openpyxl, DataError for a sheet without a header.
    """
    try:
        from openpyxl import load_workbook
    except ModuleNotFoundError as error:
        raise MissingDependency(f"{path.name}: {NO_OPENPYXL}") from error
    book = load_workbook(path, read_only=True, data_only=True)
    try:
        names = book.sheetnames
        rows = [[_cell(value) for value in row] for row in book.worksheets[0].values]
    finally:
        book.close()
    return _parsed(path, rows, names)


def _parsed(path: Path, rows: Sequence[list[Any]], sheets: Sequence[str]) -> Parsed:
    filled = (number for number, row in enumerate(rows) if any(each is not None for each in row))
    start = next(filled, None)
    if start is None:
        raise DataError(f"{path.name}: its first sheet is empty; a header and rows are needed")
    header = ["" if each is None else str(each) for each in rows[start]]
    names, notes = name_columns(header)
    check_names(path, names)
    others = sheets[1:]
    if others:
        notes.append(
            f"its first sheet, {sheets[0]!r}, is read; it has {len(others)} more "
            f"({', '.join(map(repr, islice(others, 3)))})"
        )
    kept = list(without_empty_end(_padded(rows[start + 1 :], len(names)), notes))
    bad: dict[int, str] = {}
    columns = {
        name: column([row[place] for row in kept], name, bad)
        for place, name in enumerate(names)
        if header[place].strip() or any(row[place] is not None for row in kept)
    }
    return Parsed(columns, bad, notes=notes)


def _padded(rows: Sequence[list[Any]], width: int) -> Iterator[list[Any]]:
    return ([*row, *[None] * (width - len(row))][:width] for row in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return value or None
    return value.isoformat() if hasattr(value, "isoformat") else value
