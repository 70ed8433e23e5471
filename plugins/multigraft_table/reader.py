"""Table reader: a row of named cells to arrays; numpy only, for training and the bundle alike."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from multigraft.contracts.readers import check_spec
from multigraft.contracts.types import Arrays, Spec
from multigraft.contracts.units import Units
from multigraft.errors import BundleError, RowError, did_you_mean
from multigraft_table.cells import plain
from multigraft_table.encodings import MISSING, CategoryColumn, Column, Name, Scaling
from multigraft_table.fields import field_units

NAMED = 20
"""The most columns that a note names."""


class TableSpec(BaseModel):
    """A saved spec; ``columns`` are there once training rows were looked at."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    kind: Literal["table"] = "table"
    types: dict[Name, str] = Field(default_factory=dict)
    """What the recipe says of columns."""
    numbers: Scaling = "quantile"
    least_rows: int = Field(2, ge=1)
    most_categories: int = Field(10_000, ge=1, le=2**20)
    columns: list[Column] = Field(default_factory=list, max_length=100_000)
    left_out: dict[Name, str] = Field(default_factory=dict)
    """Columns that are not read, and why."""


class TableReader:
    """Reads the cells of one row, a mapping from a column's name or that as JSON.

    Gives ``values`` float32 [N], scaled, 0 where missing, ``missing`` float32 [N] of 0 and 1, and
    ``categories`` int64 [C] (see `multigraft_table.encodings`); where there is no such column no
    such array. Dates are one of the numbers and two or three of the categories. A column that a
    value does not name is missing, and one that no training row had an error.
    """

    fills: Mapping[str, float] = {}

    def __init__(self, spec: TableSpec) -> None:
        if not spec.columns:
            raise BundleError("the reader's saved settings name no columns of the table")
        self._spec = spec
        self.columns = tuple(spec.columns)
        self._known = {*(column.name for column in self.columns), *spec.left_out}
        if len(self._known) < len(self.columns) + len(spec.left_out):
            raise BundleError("the reader's saved settings name a column of the table twice")

    def read(self, raw: Any) -> Arrays:
        """Read one row. Raises RowError for a cell that does not fit, an unknown column, and where
        no column holds anything."""
        held = self._cells(raw)
        numbers: list[float] = []
        missing: list[float] = []
        categories: list[int] = []
        for column in self.columns:
            value = held.get(column.name)
            if value is None:
                numbers += [0.0] * len(column.scales)
                categories += [MISSING] * len(column.sizes)
            else:
                own, places = column.encode(value)
                numbers += own
                categories += places
            missing += [float(value is None)] * len(column.scales)
        row: Arrays = {}
        if numbers:
            row["values"] = np.array(numbers, np.float32)
            row["missing"] = np.array(missing, np.float32)
        if categories:
            row["categories"] = np.array(categories, np.int64)
        return row

    def length(self, row: Arrays) -> int:
        """All rows are as long."""
        return 1

    def told(self) -> Sequence[str]:
        """The type of each column, and what is left out."""
        kinds = {"number": "numbers", "category": "categories", "date": "dates"}
        held = {
            plural: [column.name for column in self.columns if column.type == kind]
            for kind, plural in kinds.items()
        }
        read = "; ".join(f"{plural}: {_named(names)}" for plural, names in held.items() if names)
        lines = [f"columns are read as {read} (reader.types overrules it)"]
        if self._spec.left_out:
            left = [f"{name} ({why})" for name, why in self._spec.left_out.items()]
            lines.append(f"columns left out: {_named(left)}")
        return lines

    def oddities(self, raw: Any) -> Sequence[str]:
        """The columns whose category no training row had."""
        held = self._cells(raw)
        return [
            f"{column.name!r} holds a category that no training row has"
            for column in self.columns
            if isinstance(column, CategoryColumn)
            and (value := held.get(column.name)) is not None
            and column.is_new(value)
        ]

    def units(self, raw: Any, row: Arrays) -> Units:
        """The columns that hold something (see `field_units`)."""
        return field_units(self.columns, self._cells(raw), row)

    def spec(self) -> Spec:
        """What `table_reader` builds this reader from again."""
        return self._spec.model_dump()

    def _cells(self, raw: Any) -> dict[str, Any]:
        """The cells that hold something, by column."""
        cells = parsed_row(raw)
        if strange := [name for name in cells if name not in self._known]:
            known = [column.name for column in self.columns]
            raise RowError(
                f"there is no column {strange[0]!r} in what was learned; "
                f"{did_you_mean(str(strange[0]), known)}"
            )
        held = {name: value for name, cell in cells.items() if (value := plain(cell)) is not None}
        if not any(column.name in held for column in self.columns):
            names = _named([column.name for column in self.columns])
            raise RowError(f"every cell is missing; a value of one of {names} is needed")
        return held


def table_reader(spec: Spec) -> TableReader:
    """The reader of a complete spec. Raises BundleError for one that is none."""
    return TableReader(check_spec(spec, TableSpec))


def parsed_row(raw: Any) -> Mapping[str, Any]:
    """A row as a mapping. Raises RowError where it is none."""
    if isinstance(raw, str):
        try:
            raw = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise RowError(
                'is no row of a table; a mapping from column to cell is needed, as {"age": 3}'
            ) from error
    if not isinstance(raw, Mapping):
        raise RowError(
            f'found {type(raw).__name__}; a mapping from column to cell is needed, as {{"age": 3}}'
        )
    return raw


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
