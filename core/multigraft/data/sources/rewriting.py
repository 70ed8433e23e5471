"""Raw rows as a task rewrites them when a table is loaded."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.readers import row_errors
from multigraft.contracts.records import Task
from multigraft.data.sources.naming import Naming, in_recipe
from multigraft.data.sources.table import Table, whole
from multigraft.errors import ColumnsError, DataError, RowError

V = TypeVar("V")
TELL = "tell"
"""The parameter by which a task's function tells what it read in another way than it stands."""
TOLD, NOTED = 20, 10
"""Rows that are looked at to tell which column became which; notes of what a function tells."""
Rewrite = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def rewrite_of(task: Task, options: Mapping[str, Any]) -> Rewrite | None:
    """A task's `Task.rows`, which is given the task's options where it names them."""
    return None if task.rows is None else with_known(task.rows, options=options)


def with_known(function: Callable[..., V], **known: Any) -> Callable[..., V]:
    """A task's function, which is given by name what it has a parameter for."""
    found = function.resolve() if isinstance(function, Lazy) else function
    named = inspect.signature(found).parameters
    return partial(found, **{name: value for name, value in known.items() if name in named})


def rewritten(
    table: Table, rewrite: Rewrite, columns: tuple[str, ...], naming: Naming = in_recipe
) -> Table:
    """The whole table of a source with each row as ``rewrite`` gives it, at the place it had.

    ``columns`` may hold the raw value. A row that raises RowError is known to be bad, and its cells
    are empty: what a task learns of its columns is learned of rewritten ones alone. What the
    function tells is a note, with how often. Raises DataError where all rows are bad.
    """
    told: Counter[str] = Counter()
    if TELL in inspect.signature(rewrite).parameters:
        rewrite = partial(rewrite, **{TELL: lambda what: told.update([what])})
    bad = dict(table.content.bad)
    rows: list[Mapping[str, Any]] = [{} for _ in range(len(table))]
    names: dict[str, None] = {}
    refused: dict[int, Mapping[str, Any]] = {}
    for index in [index for index in range(len(rows)) if index not in bad]:
        row = table.row(index)
        try:
            with row_errors():
                rows[index] = dict(rewrite(row))
        except RowError as error:
            refused[index] = row
            bad[index] = _told(table, error, naming)
        else:
            names.update(dict.fromkeys(rows[index]))
    if not names:
        raise DataError(f"{table.name}: no row can be used; the first, {table.place(0)}: {bad[0]}")
    return whole(
        replace(
            table.content,
            columns={name: [row.get(name) for row in rows] for name in names},
            raw=tuple(name for name in columns if name in names),
            bad=bad,
            refused=refused,
            called=_called(table, rows, names),
            notes=(*table.content.notes, *_told_notes(table.name, told)),
            key=None,
        )
    )


def _told_notes(name: str, told: Counter[str]) -> Iterator[str]:
    for what, count in told.most_common(NOTED):
        yield f"{name}: {what} ({count} times)" if count > 1 else f"{name}: {what}"
    if len(told) > NOTED:
        yield f"{name}: and {len(told) - NOTED} notes of that kind more"


def _told(table: Table, error: RowError, naming: Naming) -> str:
    """What is wrong with a row, with its column as the file has it."""
    why = error.said(naming) if isinstance(error, ColumnsError) else str(error)
    return f"column {table.called(error.column)!r} {why}" if error.column else why


def _called(
    table: Table, rows: Sequence[Mapping[str, Any]], names: Iterable[str]
) -> dict[str, str]:
    """The names in the file of the columns that rows have now: a new one is that whose texts it
    has."""
    told = [number for number, row in enumerate(rows) if row][:TOLD]
    before = [table.row(number) for number in told]
    found = {name: table.called(name) for name in names if name in table.columns}
    for name in (each for each in names if each not in table.columns):
        texts = [rows[number].get(name) for number in told]
        same = (old for old in table.columns if texts == [row[old] for row in before])
        if {type(text) for text in texts} - {type(None)} == {str} and (old := next(same, None)):
            found[name] = table.called(old)
    return {name: theirs for name, theirs in found.items() if name != theirs}
