"""Delimited text: CSV, whose cells may be quoted, and TSV, whose cells may not.

A line ends at a line feed and nowhere else: the other signs that some readers take for an end
(U+2028, U+0085, a form feed, a carriage return alone) are text of a cell.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from multigraft.contracts.formats import Quotes
from multigraft.data.sources.stray_quotes import SWALLOWED, swallowing
from multigraft.errors import DataError

SEPARATORS = ",;\t|"
RETURN = "\udc0d"
"""Stands for a carriage return within a line while the csv module reads it; no text can hold it."""
EXCEL = re.compile(r"sep=(.)")
"""A first line that tells Excel how cells are separated."""
ON = "where quotes enclose cells, set data.quotes: on"
OFF = (
    'write a cell that holds quotes as "say ""yes""", '
    "or, where quotes are only text, set data.quotes: off"
)
ENCLOSED = "a cell stands in quotes, which are kept as text; " + ON


@dataclass(frozen=True)
class Form:
    """Form of a delimited file: how its cells are told apart."""

    separator: str
    quotes: bool
    """Whether a cell may stand in quotes."""
    before: int
    """Lines in front of the header."""


def find_form(file: IO[str], path: Path, quotes: Quotes) -> Form:
    """Find a file's form by its header. Raises DataError for lines that end as an old Mac's do."""
    separator, before, header = None, 0, ""
    for line in file:
        header = line.rstrip("\r\n")
        told = EXCEL.fullmatch(header) if before == 0 else None
        separator = told[1] if told else separator
        if header and not told:
            break
        before += 1
    file.seek(0)
    refuse_returns(path, header)
    separator = separator or _separator(header, path)
    quoted = quotes == "on" or (quotes == "auto" and (separator != "\t" or _all_enclosed(header)))
    return Form(separator, quoted, before)


def refuse_returns(path: Path, line: str) -> None:
    """Raise DataError where lines end in carriage returns, as an old Mac's do."""
    if "\r" in line.rstrip("\r\n"):
        raise DataError(
            f"{path.name}: its lines end with carriage returns alone; "
            "save it with line feeds, as by: tr '\\r' '\\n'"
        )


def _separator(header: str, path: Path) -> str:
    """What the header holds most; a tab, where the file name says so and nothing else is in it."""
    found = max(SEPARATORS, key=header.count)
    named = path.suffix.lower() == ".tsv"
    return "\t" if named and ("\t" in header or found not in header) else found


def _all_enclosed(header: str) -> bool:
    return all(is_enclosed(name) for name in header.split("\t"))


def is_enclosed(cell: str) -> bool:
    """Tell whether a cell is written as one in quotes is."""
    inner = cell[1:-1]
    return len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', "")


def read_records(file: IO[str], path: Path, form: Form) -> Iterator[list[str]]:
    """Read the cells of the header, then of each row; a line with nothing on it is no row.

    Cells that are empty and stand beyond the header are left out, those that a row lacks under no
    name are empty. At the end raises DataError with the lines of the rows that have more or fewer
    cells than that.
    """
    lines = islice(file, form.before, None)
    records = _quoted(lines, form) if form.quotes else _plain(lines, form)
    header: list[str] | None = None
    problems: list[str] = []
    try:
        for line, record in records:
            if header is None:
                header = record
            fitted = _fitted(record, header)
            if fitted is None:
                problems.append(
                    f"line {line}: {len(record)} cells where the header has {len(header)}"
                )
            else:
                yield fitted
    except _Broken as error:
        problems.append(str(error))
    if problems:
        refuse(path, problems, OFF if form.quotes else ON)


class _Broken(Exception):
    """A line that is no CSV, after which none can be told."""


def _fitted(record: list[str], header: Sequence[str]) -> list[str] | None:
    """The record in the header's width; None where that would lose or make up a cell."""
    width = len(header)
    if len(record) > width and not any(record[width:]):
        return record[:width]
    if len(record) < width and not any(name.strip() for name in header[len(record) :]):
        return [*record, *[""] * (width - len(record))]
    return record if len(record) == width else None


def _plain(lines: Iterable[str], form: Form) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, form.before + 1):
        text = line.removesuffix("\n").removesuffix("\r")
        if text:
            yield number, text.split(form.separator)


def _quoted(lines: Iterable[str], form: Form) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(map(_hide_returns, lines), delimiter=form.separator, strict=True)
    start = form.before + 1
    try:
        for record in reader:
            if record:
                yield start, [_show_returns(cell) for cell in record]
            start = form.before + reader.line_num + 1
    except csv.Error as error:
        raise _Broken(f"line {start}: {error}") from error


def _hide_returns(line: str) -> str:
    """Hide the carriage returns within a line, at which the csv module would end a row."""
    if "\r" not in line:
        return line
    body = line.removesuffix("\n").removesuffix("\r")
    return body.replace("\r", RETURN) + line[len(body) :]


def _show_returns(cell: str) -> str:
    return cell.replace(RETURN, "\r") if RETURN in cell else cell


def name_columns(header: Sequence[str]) -> tuple[list[str], list[str]]:
    """Name the columns, with notes on spaces around a name, which are left out.

    A column without a name is called by its place, as ``column 4``.
    """
    names = [name.strip() or f"column {place}" for place, name in enumerate(header, 1)]
    spaced = [name for name in header if name.strip() and name != name.strip()]
    note = f"spaces around names of the header left out: {', '.join(map(repr, spaced[:3]))}"
    return names, [note + (", ..." if len(spaced) > 3 else "")] if spaced else []


def suspicious(rows: Sequence[Sequence[str]], form: Form) -> dict[str, list[int]]:
    """Find what should be looked at, each with its rows, where there are any."""
    if form.quotes:
        found = {SWALLOWED: swallowing(rows, form.separator)}
    else:
        found = {ENCLOSED: [row for row, cells in enumerate(rows) if any(map(is_enclosed, cells))]}
    return {what: rows for what, rows in found.items() if rows}


def without_empty_end(records: Iterable[list[str]], notes: list[str]) -> Iterator[list[str]]:
    """Drop the rows at the end whose every cell is empty (spreadsheets write them); note them."""
    empty: list[list[str]] = []
    for record in records:
        if not any(record):
            empty.append(record)
            continue
        yield from empty
        empty.clear()
        yield record
    if empty:
        what = "row" if len(empty) == 1 else "rows"
        notes.append(f"{len(empty)} {what} at the end left out, in which every cell is empty")


def refuse(path: Path, problems: Sequence[str], advice: str = "", shown: int = 20) -> None:
    """Raise DataError with the lines of a file that cannot be parsed."""
    more = [f"and {len(problems) - shown} more"] if len(problems) > shown else []
    lines = [f"  {problem}" for problem in [*problems[:shown], *more]]
    raise DataError(
        "\n".join([f"{path.name}: cannot be parsed", *lines, *([advice] if advice else [])])
    )


@contextmanager
def long_cells() -> Iterator[None]:
    """Let a CSV cell be longer than 128 KiB; the csv module's own limit is put back."""
    limit = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(limit)
