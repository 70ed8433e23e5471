"""Padding: which axes of an array vary from row to row, and how such rows become one batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

LENGTH = "length"
"""What the first axis is called where a fill is only a number."""


@dataclass(frozen=True)
class Fill:
    """What pads an array, and which of its axes vary; a plain number stands for its first axis."""

    value: float
    axes: Mapping[int, str] = field(default_factory=lambda: {0: LENGTH})
    """The axes of one row's array that vary, by what they are called: ``{0: "height", 1:
    "width"}``. Arrays of one row that name the same axis are equally long along it."""

    def __post_init__(self) -> None:
        named = [
            isinstance(axis, int) and axis >= 0 and isinstance(name, str) and name.isidentifier()
            for axis, name in self.axes.items()
        ]
        if not named or not all(named) or "batch" in self.axes.values():
            raise ValueError(
                f"the axes of a fill are numbers from 0 with a name each, as {{0: 'height', 1: "
                f"'width'}} (not 'batch'), not {self.axes!r}"
            )


Fills = Mapping[str, float | Fill]
"""By name, the arrays that vary from row to row."""


def fill_of(fill: float | Fill) -> Fill:
    """A fill as it is; a plain number pads the first axis.

    >>> fill_of(0)
    Fill(value=0, axes={0: 'length'})
    """
    return fill if isinstance(fill, Fill) else Fill(fill)


def axis_names(fills: Fills) -> list[str]:
    """What the varying axes are called, each once.

    >>> axis_names({"mask": Fill(255, {0: "height", 1: "width"}), "words": -100})
    ['height', 'width', 'length']
    """
    axes = (axis for fill in fills.values() for axis in fill_of(fill).axes.values())
    return list(dict.fromkeys(axes))


def sizes(row: Mapping[str, np.ndarray], fills: Fills) -> dict[str, tuple[int, ...]]:
    """How long a row's arrays are along each varying axis, by its name.

    >>> sizes({"mask": np.zeros((2, 3))}, {"mask": Fill(255, {0: "height", 1: "width"})})
    {'height': (2,), 'width': (3,)}
    """
    found: dict[str, tuple[int, ...]] = {}
    for name, fill in fills.items():
        for axis, called in fill_of(fill).axes.items() if name in row else ():
            found[called] = (*found.get(called, ()), row[name].shape[axis])
    return found


def pad(arrays: Sequence[np.ndarray], fill: float | Fill) -> np.ndarray:
    """Stack arrays, each padded at the end of every varying axis to the longest.

    >>> pad([np.ones((1, 2)), np.ones((2, 1))], Fill(0, {0: "height", 1: "width"})).tolist()
    [[[1.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 0.0]]]
    """
    whole = fill_of(fill)
    shape = list(arrays[0].shape)
    for axis in whole.axes:
        shape[axis] = max(array.shape[axis] for array in arrays)
    padded = np.full((len(arrays), *shape), whole.value, dtype=arrays[0].dtype)
    if whole.axes.keys() == {0}:  # as most are; this is called for every batch
        for row, array in zip(padded, arrays, strict=True):
            row[: len(array)] = array
    else:
        for row, array in zip(padded, arrays, strict=True):
            row[_inside(array.shape, whole)] = array
    return padded


def crop(
    row: Mapping[str, np.ndarray], fills: Fills, size: Callable[[str, int], int]
) -> dict[str, np.ndarray]:
    """The beginning of a row: each varying axis as long as ``size(its name, its length)`` says.

    >>> crop({"x": np.arange(4)}, {"x": 0}, lambda axis, length: length // 2)
    {'x': array([0, 1])}
    """

    def cropped(array: np.ndarray, fill: Fill) -> np.ndarray:
        shape = list(array.shape)
        for axis, name in fill.axes.items():
            shape[axis] = size(name, shape[axis])
        return array[_inside(shape, fill)]

    return {
        name: cropped(array, fill_of(fills[name])) if name in fills else array
        for name, array in row.items()
    }


def _inside(shape: Sequence[int], fill: Fill) -> tuple[slice, ...]:
    """Where an array of that shape lies in a longer one; an axis that does not vary is whole."""
    return tuple(
        slice(size if axis in fill.axes else None)
        for axis, size in enumerate(shape[: max(fill.axes) + 1])
    )
