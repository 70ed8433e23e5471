"""Rows as an objective rewrites them, before they are read."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from multigraft.contracts.readers import row_errors
from multigraft.contracts.row_objectives import Row, RowObjective
from multigraft.data.cache.content import Content
from multigraft.data.sources.table import Table, whole
from multigraft.errors import PluginError, RowError

ARRANGE = 4
"""What the generator is for; part of its seed."""


def arranged_rows(table: Table, objective: RowObjective, seed: int, name: str) -> Table:
    """The table as the objective rewrites it; itself where the objective leaves it as it is."""
    view = _View(table)
    rows = objective.arrange(
        view, np.random.default_rng([seed, ARRANGE, zlib.crc32(name.encode())])
    )
    if rows is view:
        return table
    names = dict.fromkeys(column for row in rows for column in row)
    columns = {column: [row.get(column) for row in rows] for column in names}
    old = table.content
    return whole(
        Content(
            name=old.name,
            columns=columns,
            raw=tuple(column for column in old.raw if column in names),
            folder=old.folder,
            suffixes=old.suffixes,
            branches=old.branches,
            base=old.base,
            files=old.files,
            kind="arranged row",
        )
    )


class _View(Sequence[Mapping[str, Any]]):
    """A table as the plain sequence of rows an objective arranges."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._table.row(row) for row in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        return self._table.row(index)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (self._table.row(row) for row in range(len(self)))


def parted_rows(table: Table, objective: RowObjective) -> Table:
    """The table with what each row is learned from in its place; itself where that is the row."""
    if getattr(objective.parts, "__func__", None) is RowObjective.parts:
        return table
    whole_rows = list(_View(table))
    parts = [_parts(row, objective) for row in whole_rows]
    if not all(parts):
        place = table.place([len(each) for each in parts].index(0))
        raise PluginError(f"{place}: parts gives no row; return (row,) to learn from it as it is")
    if all(len(each) == 1 and each[0] is row for each, row in zip(parts, whole_rows, strict=True)):
        return table
    rows = [row for each in parts for row in each]
    owners = np.repeat(table.indices, [len(each) for each in parts])
    origins = table.content.origins
    return whole(
        replace(
            table.content,
            columns={name: [row.get(name) for row in rows] for name in table.columns},
            bad={},
            refused={},
            key=None,
            origins=owners if origins is None else origins[owners],
        )
    )


def _parts(row: Row, objective: RowObjective) -> Sequence[Row]:
    try:
        with row_errors():
            return objective.parts(row)
    except RowError:
        return (row,)  # which is read next, and refused with its place
