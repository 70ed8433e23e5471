"""Reader specs: what a backbone asks of the reader, and what training rows complete it with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from multigraft.contracts.readers import check_spec
from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import DataError, RecipeError, RowError, did_you_mean
from multigraft_table.cells import plain
from multigraft_table.encodings import Column, fitted_category, fitted_date, fitted_number
from multigraft_table.guessing import TYPES, Guess, check_type, guess
from multigraft_table.layout import saved_spec
from multigraft_table.reader import TableSpec, parsed_row

MOST_ROWS = 200_000
"""Training rows that columns are learned from."""


def table_spec(origin: Origin, options: Mapping[str, Any]) -> Spec:
    """The spec that the weights were trained with; of new ones, what the recipe says."""
    asked = {name: value for name, value in options.items() if value is not None}
    if not origin.scratch:
        if asked and not origin.own:
            names = ", ".join(f"reader.{name}" for name in sorted(asked))
            raise RecipeError(
                [
                    f"{names}: the weights of {origin.backbone!r} were trained on columns that are "
                    "read as they say; leave it out"
                ]
            )
        return saved_spec(origin)
    types = {str(name): found for name, found in asked.pop("types", {}).items()}
    _check_types(types)
    return TableSpec(**asked, types=types).model_dump()


def fit(raws: Iterable[Any], spec: Spec) -> Spec:
    """Learn how each column is encoded from training rows; a complete spec is given back.

    Raises DataError for types that do not fit, and where no column can be read.
    """
    known = check_spec(spec, TableSpec)
    if known.columns:
        _check_columns(raws, known)
        return spec
    cells = _by_column(raws)
    _check_asked(known.types, cells)
    guesses = {name: _guess(name, held, known.types.get(name)) for name, held in cells.items()}
    columns = [
        _fitted(name, cells[name], found, known)
        for name, found in guesses.items()
        if found.type != "ignore"
    ]
    left_out = {name: found.why for name, found in guesses.items() if found.type == "ignore"}
    if not columns:
        told = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        raise DataError(f"no column of the table can be read: {told or 'there is none'}")
    return known.model_copy(update={"columns": columns, "left_out": left_out}).model_dump()


def _by_column(raws: Iterable[Any]) -> dict[str, list[Any]]:
    """The cells of each column that hold something."""
    found: dict[str, list[Any]] = {}
    for raw in islice(raws, MOST_ROWS):
        for name, cell in _row(raw).items():
            held = found.setdefault(str(name), [])
            if (value := plain(cell)) is not None:
                held.append(value)
    return found


def _row(raw: Any) -> Mapping[str, Any]:
    try:
        return parsed_row(raw)
    except RowError:
        return {}  # named, counted and judged where rows are read


def _guess(name: str, cells: Sequence[Any], asked: str | None) -> Guess:
    if asked is None:
        return guess(cells)
    check_type(name, cells, asked)
    return Guess(asked, "as reader.types says")  # type: ignore[arg-type]


def _fitted(name: str, cells: Sequence[Any], found: Guess, spec: TableSpec) -> Column:
    if found.type == "number":
        return fitted_number(name, cells, spec.numbers)
    if found.type == "date":
        return fitted_date(name, cells, spec.numbers)
    return fitted_category(name, cells, least=spec.least_rows, most=spec.most_categories)


def _check_types(types: Mapping[Any, Any]) -> None:
    """Raise RecipeError for a type that there is not."""
    problems = [
        f"reader.types.{name}: found {found!r}; {did_you_mean(str(found), TYPES)}"
        for name, found in types.items()
        if found not in TYPES
    ]
    if problems:
        raise RecipeError(problems)


def _check_asked(types: Mapping[str, str], cells: Mapping[str, Any]) -> None:
    lines = [
        f"reader.types.{name}: the table has no such column; {did_you_mean(name, cells)}"
        for name in types
        if name not in cells
    ]
    if lines:
        raise DataError("\n".join(lines))


def _check_columns(raws: Iterable[Any], spec: TableSpec) -> None:
    """Raise DataError where the rows have other columns than the weights were trained on."""
    there = _row(next(iter(raws), {})).keys()
    known = [column.name for column in spec.columns]
    if there <= {*known, *spec.left_out}:
        return
    strange = sorted(there - {*known, *spec.left_out})
    raise DataError(
        f"the weights were trained on other columns, and know no {strange[0]!r}; name those that "
        f"they have: data.columns: {{table: [{', '.join(known)}]}}"
    )
