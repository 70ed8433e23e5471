"""Boxes as people and tools write them: put in order, cut to their picture, or refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multigraft import RowError

SWAPPED = "boxes whose corners were exchanged are put in order"
CUT = "boxes that reach beyond their picture are cut to it"
EMPTY = "boxes without an area are left out"
ROUNDING = 1.0
"""Pixels that a box may reach beyond its picture before it is told."""
LARGEST = 2**31
"""From here on a number is larger than any picture."""
CROWDS: dict[bool, tuple[Any, ...]] = {
    True: (1, "1", "true", "yes"),
    False: (0, None, "0", "false", "no", ""),
}


def corners(numbers: Any, *, sized: bool) -> tuple[list[float], set[str]]:
    """Left, top, right, bottom, and what was mended; where ``sized``, of left, top, width, height.

    Raises RowError for what is not four finite numbers.

    >>> corners([5, 2, 1, 4], sized=False)[0]
    [1.0, 2.0, 5.0, 4.0]
    """
    left, top, right, bottom = _four(numbers)
    if sized:
        right, bottom = left + right, top + bottom
    mended = {SWAPPED} if right < left or bottom < top else set()
    return [min(left, right), min(top, bottom), max(left, right), max(top, bottom)], mended


def fitted(box: Sequence[float], size: tuple[int, int] | None) -> tuple[list[float], set[str]]:
    """A box by its corners as left, top, width, height within a picture of ``size`` (width,
    height), and what was mended; of no area nothing is left of it.

    Raises RowError for a box that lies outside.
    """
    left, top, right, bottom = box
    if right <= left or bottom <= top:
        return [], {EMPTY}
    if size is None:
        return [left, top, right - left, bottom - top], set()
    width, height = size
    cut = [max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))]
    if cut[2] <= cut[0] or cut[3] <= cut[1]:
        told = ", ".join(f"{number:g}" for number in box)
        raise RowError(f"the box from {told} lies outside its picture of {width} x {height}")
    moved = max(abs(one - other) for one, other in zip(cut, box, strict=True))
    fits = [cut[0], cut[1], cut[2] - cut[0], cut[3] - cut[1]]
    return fits, {CUT} if moved > ROUNDING else set()


def _four(numbers: Any) -> list[float]:
    listed = isinstance(numbers, list | tuple) and len(numbers) == 4
    if not listed or not all(_is_number(each) for each in numbers):
        told = too_large(numbers) if listed else ""
        raise RowError(f"the box is {_short(numbers)}; four finite numbers are needed{told}")
    return [float(each) for each in numbers]


def too_large(numbers: Sequence[Any]) -> str:
    """The end of a message about numbers of which one is larger than a picture can be."""
    plain = (each for each in numbers if isinstance(each, int | float))
    found = next((each for each in plain if abs(each) >= LARGEST), None)
    return "" if found is None else f", and {_short(found, 20)} is larger than any picture"


def is_crowd(value: Any) -> bool:
    """Whether an object is a crowd: 0 or 1, or what people write for them. Raises RowError.

    >>> is_crowd(None), is_crowd(1), is_crowd("no")
    (False, True, False)
    """
    known = value.strip().lower() if isinstance(value, str) else value
    known = bool(known) if isinstance(known, np.bool_) else known
    plain = known is None or isinstance(known, str | int | float)
    found = next((told for told, names in CROWDS.items() if plain and known in names), None)
    if found is None:
        raise RowError(f"whether it is a crowd is told by {_short(value)}; 0 or 1 is needed")
    return found


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST  # which no NaN is


def _short(value: Any, most: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."
