"""Types of columns, guessed by looking at the cells of the training rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from multigraft.errors import DataError
from multigraft_table.cells import category_in, date_in, kind_of_cell, number_in

Type = Literal["number", "category", "date", "ignore"]
TYPES: tuple[Type, ...] = ("number", "category", "date", "ignore")
MOSTLY = 0.95
"""The share of cells that a type must fit."""
FEW, SHARE = 50, 0.5
"""Texts of which more differ, and of more than this share of the rows, are no categories."""
CODE = re.compile(r"0\d+")
"""A number that begins with 0 is a code, as of a postal district."""


@dataclass(frozen=True)
class Guess:
    """A type, and why a column is left out."""

    type: Type
    why: str = ""


def guess(cells: Sequence[Any]) -> Guess:
    """The type of a column by the cells that hold something.

    >>> guess(["1", "2.5"]).type, guess(["a", "b", "a"]).type, guess(["2024-01-01"] * 2)
    ('number', 'category', Guess(type='ignore', why='the same in every row'))
    """
    if not cells:
        return Guess("ignore", "every cell is empty")
    if strange := [cell for cell in cells if category_in(cell) is None]:
        return Guess("ignore", f"a cell holds {kind_of_cell(strange[0])}")
    texts = {category_in(cell) for cell in cells}
    if len(texts) == 1:
        return Guess("ignore", "the same in every row")
    found = _type(cells)
    if found == "category" and len(texts) > max(FEW, SHARE * len(cells)):
        return Guess("ignore", f"{len(texts):,} different texts in {len(cells):,} rows")
    return Guess(found)


def check_type(name: str, cells: Sequence[Any], asked: str) -> None:
    """Raise DataError where a type that a recipe asks for does not fit the cells."""
    reads = {"number": number_in, "date": date_in, "category": category_in}
    read: Callable[[Any], Any] | None = reads.get(asked)
    if read is None:
        return
    wrong = [cell for cell in cells if read(cell) is None]
    if cells and len(wrong) <= (1 - MOSTLY) * len(cells):
        return
    told = "every cell is empty"
    if wrong:
        told = f"{len(wrong):,} of {len(cells):,} cells hold none, as {kind_of_cell(wrong[0])}"
    raise DataError(f"reader.types.{name}: found {asked!r}, and {told}; {_advice(cells)}")


def _advice(cells: Sequence[Any]) -> str:
    fitting = guess(cells).type
    return f"leave it out, which reads it as {fitting!r}" if fitting != "ignore" else "say 'ignore'"


def _type(cells: Sequence[Any]) -> Type:
    if _mostly(cells, number_in) and not _are_codes(cells):
        return "number"
    return "date" if _mostly(cells, date_in) else "category"


def _mostly(cells: Sequence[Any], read: Callable[[Any], Any]) -> bool:
    """Whether nearly all cells are of a type; true and false are categories."""
    if all(isinstance(cell, bool) for cell in cells):
        return False
    return sum(read(cell) is not None for cell in cells) >= MOSTLY * len(cells)


def _are_codes(cells: Sequence[Any]) -> bool:
    return any(isinstance(cell, str) and CODE.fullmatch(cell.strip()) for cell in cells)
