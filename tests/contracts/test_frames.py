"""Points, boxes and masks carried between a raw plane and the input's pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from multigraft import Fill
from multigraft.contracts.frames import (
    EXTENT,
    FRAME,
    check_moves,
    inverse,
    mirror,
    move_boxes,
    move_mask,
    move_points,
    moved,
    scaling,
    shift,
    then,
)
from multigraft.errors import PluginError

SIDES = st.integers(1, 12)
FLOATS = st.floats(-20, 20)


@st.composite
def frames(draw: st.DrawFn) -> np.ndarray:
    """Scaled, moved, turned or mirrored planes."""
    factors = st.floats(0.2, 5)
    made = then(scaling(draw(factors), draw(factors)), shift(draw(FLOATS), draw(FLOATS)))
    angle = draw(st.floats(-3, 3))
    cos, sin = np.cos(angle), np.sin(angle)
    return then(made, np.array([[cos, -sin, 0], [sin, cos, 0]]))


@given(frames(), frames(), st.lists(st.tuples(FLOATS, FLOATS), min_size=1))
def test_points_go_there_and_back_and_frames_follow_one_another(
    first: np.ndarray, second: np.ndarray, points: list[tuple[float, float]]
) -> None:
    raw = np.array(points)
    there = move_points(raw, first)
    np.testing.assert_allclose(move_points(there, inverse(first)), raw, atol=1e-8)
    both = move_points(raw, then(first, second))
    np.testing.assert_allclose(move_points(there, second), both, atol=1e-8)


@given(SIDES, SIDES, SIDES, SIDES)
def test_a_resized_mask_is_torchs_exact_nearest(
    height: int, width: int, tall: int, wide: int
) -> None:
    mask = np.arange(height * width).reshape(height, width)
    theirs = F.interpolate(
        torch.from_numpy(mask)[None, None].double(), (tall, wide), mode="nearest-exact"
    )
    frame = scaling(wide / width, tall / height)
    ours = move_mask(mask, frame, np.array([wide, tall]), -1)
    edges = (np.arange(tall) + 0.5) * height / tall, (np.arange(wide) + 0.5) * width / wide
    clear = [np.abs(each - each.round()) > 1e-6 for each in edges]  # a centre on an edge has two
    np.testing.assert_array_equal(
        ours[clear[0]][:, clear[1]], theirs[0, 0].numpy().astype(int)[clear[0]][:, clear[1]]
    )


@given(SIDES, SIDES, st.integers(-6, 6), st.integers(-6, 6))
def test_a_moved_mask_has_its_pixels_or_what_stands_outside(
    height: int, width: int, right: int, down: int
) -> None:
    mask = np.arange(height * width).reshape(height, width)
    wanted = np.full((20, 20), -1)
    for row in range(height):
        for column in range(width):
            if 0 <= row + down < 20 and 0 <= column + right < 20:
                wanted[row + down, column + right] = mask[row, column]
    found = move_mask(mask, shift(right, down), np.array([20, 20]), -1)
    np.testing.assert_array_equal(found, wanted)
    back = move_mask(found, inverse(shift(right, down)), np.array([width, height]), -1)
    inside = back >= 0
    np.testing.assert_array_equal(back[inside], mask[inside])


def test_boxes_are_cut_and_those_outside_are_dropped_with_what_goes_with_them() -> None:
    row = {
        FRAME: then(shift(-10, 0), mirror(20)).astype(np.float32),
        EXTENT: np.array([20, 10], np.float32),
        "boxes": np.array([[0, 0, 9, 5], [5, 2, 15, 20], [12, 1, 14, 3]], np.float32),
        "labels": np.array([7, 8, 9]),
        "corner": np.array([10.0, 0.0]),
        "mask": np.ones((4, 4), np.uint8),
    }
    moves = {"labels": "with:boxes", "boxes": "boxes", "corner": "points", "mask": "mask"}
    found = moved(row, moves, {"mask": 255, "boxes": 0, "labels": Fill(0)})
    assert found["boxes"].tolist() == [[15, 2, 20, 10], [16, 1, 18, 3]]
    assert found["labels"].tolist() == [8, 9]
    assert found["corner"].tolist() == [20, 0]
    assert (found["mask"] == 255).all() and found["mask"].shape == (10, 20)
    assert row["labels"].tolist() == [7, 8, 9]


@given(st.floats(0.2, 5), st.floats(0.2, 5), FLOATS, FLOATS, st.booleans(), st.integers(0, 9))
def test_boxes_inside_the_plane_go_there_and_back(
    across: float, down: float, right: float, below: float, flip: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    boxes = np.sort(rng.uniform(0, 30, (6, 2, 2)), axis=1).reshape(-1, 4)
    frame = then(scaling(across, down), shift(right + 50, below + 50))
    frame, size = then(frame, mirror(300)) if flip else frame, np.array([400.0, 400.0])
    inside, kept = move_boxes(boxes, frame, size)
    corners = move_points(boxes.reshape(-1, 2, 2), frame)
    whole = kept & ((corners >= 0) & (corners <= size)).all((1, 2))
    back, _ = move_boxes(inside[whole[kept]], inverse(frame), size)
    np.testing.assert_allclose(back, boxes[whole], atol=1e-6)


@pytest.mark.parametrize("count", [0, 3])
def test_no_boxes_stay_none(count: int) -> None:
    boxes, kept = move_boxes(
        np.zeros((count, 4), np.float32), scaling(2, 2), np.array([8, 8], np.float32)
    )
    assert boxes.shape == (0, 4) and not kept.any()


def test_a_row_without_a_frame_is_told() -> None:
    with pytest.raises(PluginError, match="need the arrays 'frame' and 'extent' of the reader"):
        moved({"mask": np.zeros((2, 2))}, {"mask": "mask"}, {"mask": 0})
    plain = {"x": np.zeros(2)}
    assert moved(plain, {}, {}) == plain


@pytest.mark.parametrize(
    ("moves", "said"),
    [
        ({"a": "mask"}, "fills must say what stands outside"),
        ({"a": "with:b"}, "no target of boxes is so called"),
        ({"a": "box"}, "allowed: mask, boxes, points"),
    ],
)
def test_moves_that_cannot_be_are_told(moves: dict[str, str], said: str) -> None:
    with pytest.raises(PluginError, match=said):
        check_moves(moves, {})
