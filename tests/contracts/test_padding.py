"""Padding in any axis."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multigraft import Fill
from multigraft.contracts.padding import axis_names, crop, pad, sizes
from multigraft.contracts.readers import collate

SHAPES = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=1, max_size=6)
PLANE = {1: "height", 2: "width"}


@given(SHAPES)
def test_each_row_lies_in_its_corner_and_the_rest_is_fill(shapes: list[tuple[int, int]]) -> None:
    rows = [np.full((3, *shape), number, np.int64) for number, shape in enumerate(shapes)]
    batch = pad(rows, Fill(-7, PLANE))
    tall, wide = np.max(shapes, axis=0)
    assert batch.shape == (len(rows), 3, tall, wide)
    for number, (row, (height, width)) in enumerate(zip(batch, shapes, strict=True)):
        assert (row[:, :height, :width] == number).all()
        assert (row == -7).sum() == 3 * (tall * wide - height * width)


@given(SHAPES)
def test_a_number_pads_the_first_axis_as_a_fill_of_it_does(shapes: list[tuple[int, int]]) -> None:
    rows = [{"x": np.arange(height), "y": np.ones(2)} for height, _ in shapes]
    named = collate(rows, {"x": Fill(9, {0: "length"})})
    plain = collate(rows, {"x": 9})
    assert all(np.array_equal(plain[name], named[name]) for name in ("x", "y"))


def test_an_axis_that_was_not_named_must_be_equal() -> None:
    rows = [{"x": np.ones((2, 3))}, {"x": np.ones((2, 2))}]
    with pytest.raises(ValueError, match="broadcast"):
        collate(rows, {"x": 0})
    assert collate(rows, {"x": Fill(0, {1: "width"})})["x"].shape == (2, 2, 3)


def test_a_row_is_cut_along_named_axes_alike() -> None:
    fills = {"pixels": Fill(0, PLANE), "mask": Fill(0, {0: "height", 1: "width"}), "words": 0}
    row = {"pixels": np.zeros((3, 8, 6)), "mask": np.zeros((8, 6)), "words": np.zeros(4)}
    row["size"] = np.zeros(2)
    assert axis_names(fills) == ["height", "width", "length"]
    assert sizes(row, fills) == {"height": (8, 8), "width": (6, 6), "length": (4,)}
    halves = crop(row, fills, lambda axis, size: size // 2 if axis == "height" else size)
    assert {name: array.shape for name, array in halves.items()} == {
        "pixels": (3, 4, 6),
        "mask": (4, 6),
        "words": (4,),
        "size": (2,),
    }


@pytest.mark.parametrize("axes", [{}, {-1: "height"}, {0: ""}, {0: "batch"}, {"height": 0}])
def test_axes_have_numbers_and_names(axes: Any) -> None:
    with pytest.raises(ValueError, match="numbers from 0 with a name each"):
        Fill(0, axes)
