"""Raw rows as a task rewrites them when a table is loaded."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from multigraft.contracts.lazy import Lazy
from multigraft.contracts.readers import row_errors
from multigraft.contracts.records import Task
from multigraft.data.sources.table import Table, whole
from multigraft.errors import DataError, RowError

V = TypeVar("V")
Rewrite = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def rewrite_of(task: Task, options: Mapping[str, Any]) -> Rewrite | None:
    """A task's `Task.rows`, which is given the task's options where it names them."""
    return None if task.rows is None else with_options(task.rows, options)


def with_options(function: Callable[..., V], options: Mapping[str, Any]) -> Callable[..., V]:
    """A task's function, which is given the task's options where it has a parameter for them."""
    found = function.resolve() if isinstance(function, Lazy) else function
    if "options" not in inspect.signature(found).parameters:
        return found
    return partial(found, options=options)


def rewritten(table: Table, rewrite: Rewrite, columns: tuple[str, ...]) -> Table:
    """The whole table of a source with each row as ``rewrite`` gives it, at the place it had.

    ``columns`` may hold the raw value. A row that raises RowError is known to be bad, and its cells
    are empty: what a task learns of its columns is learned of rewritten ones alone. Raises
    DataError where all rows are bad.
    """
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
            bad[index] = f"column {error.column!r} {error}" if error.column else str(error)
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
            key=None,
        )
    )
