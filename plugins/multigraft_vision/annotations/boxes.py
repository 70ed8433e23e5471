"""Boxes as people and tools write them: put in order, cut to their picture, or refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from multigraft import RowError

SWAPPED = "boxes whose corners were exchanged are put in order"
CUT = "boxes that reach beyond their picture are cut to it"
EMPTY = "boxes without an area are left out"
ROUNDING = 1.0
"""Pixels that a box may reach beyond its picture before it is told."""


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
        raise RowError(f"the box is {_short(numbers)}; four finite numbers are needed")
    return [float(each) for each in numbers]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value)) and abs(value) < 2**31
    except OverflowError:  # a whole number beyond any float
        return False


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
