"""Segmentation answers: tiles are joined to the map they were cut from, and what a graph may not
give is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.contracts.answers import Window
from multigraft.contracts.frames import scaling, shift, then
from multigraft.errors import BundleError
from multigraft.runtime.answers.segmentation import Segmentation, joined

LABELS = {"labels": ["a", "b", "c"]}


def window(classes: np.ndarray, frame: np.ndarray, picture: tuple[int, int]) -> Window:
    row = {
        "frame": frame.astype(np.float32),
        "extent": np.array(classes.shape[::-1], np.float32),
        "picture": np.array(picture, np.float32),
    }
    return Window(row, {"classes": classes})


def cut(whole: np.ndarray, left: int, top: int, side: int) -> Window:
    tall, wide = whole.shape
    part = whole[top : top + side, left : left + side]
    return window(part, shift(-left, -top), (wide, tall))


def test_tiles_are_joined_to_the_map_they_were_cut_from() -> None:
    whole = np.random.default_rng(0).integers(0, 3, (40, 100)).astype(np.uint8)
    tiles = [cut(whole, left, 0, 40) for left in (30, 0, 30, 60)]
    found = joined([each.outputs["classes"] for each in tiles], tiles)
    np.testing.assert_array_equal(found, whole)


def test_where_tiles_disagree_the_nearer_middle_is_believed() -> None:
    one, other = (np.full((40, 100), number, np.uint8) for number in (1, 2))
    tiles = [cut(one, 0, 0, 60), cut(other, 40, 0, 60)]
    tiles = [Window(each.row, {"classes": each.outputs["classes"]}) for each in tiles]
    found = joined([each.outputs["classes"] for each in tiles], tiles)
    assert (found[20, :50] == 1).all() and (found[20, 50:] == 2).all()


def test_a_map_is_carried_to_the_pictures_own_pixels() -> None:
    classes = np.array([[0, 1], [2, 0]], np.uint8)
    enlarged = joined([classes], [window(classes, scaling(0.25, 0.5), (8, 4))])
    np.testing.assert_array_equal(enlarged, classes.repeat(2, 0).repeat(4, 1))
    bars = np.zeros((6, 4), np.uint8)
    bars[2:4] = [[1, 1, 2, 2]] * 2
    padded = window(bars, then(scaling(0.5, 0.5), shift(0, 2)), (8, 4))
    found = joined([bars], [padded])
    assert found.shape == (4, 8) and set(np.unique(found)) == {1, 2}


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (np.zeros((3, 2), np.uint8), "for an input of"),
        (np.full((2, 2), 3, np.uint8), "classes without a name"),
    ],
)
def test_what_a_graph_may_not_give_is_refused(classes: np.ndarray, said: str) -> None:
    given = window(np.zeros((2, 2), np.uint8), np.eye(2, 3), (2, 2))
    with pytest.raises(BundleError, match=said):
        Segmentation(LABELS).answer(b"", [Window(given.row, {"classes": classes})], {"png": False})


@pytest.mark.parametrize(
    "targets",
    [
        {},
        {"labels": []},
        {"labels": [1]},
        {"labels": ["a"], "values": [0, 1]},
        {"labels": ["a"], "values": [-1]},
        {"labels": ["a"], "ignored": 1.5},
        {"labels": ["a"], "background": "b"},
    ],
)
def test_targets_of_anybody_are_checked(targets: Any) -> None:
    with pytest.raises(BundleError, match="classes of its pixels cannot be read"):
        Segmentation(targets)


@pytest.mark.parametrize("strip", [1, 90, 2**20])
def test_strips_give_what_the_whole_picture_gives_at_once(
    strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Overlapping windows at random places, which leave some of the picture to none."""
    monkeypatch.setattr("multigraft.runtime.answers.segmentation.STRIP", strip)
    rng = np.random.default_rng(strip)
    for _ in range(20):
        tall, wide = (int(side) for side in rng.integers(9, 60, 2))
        count = int(rng.integers(2, 7))
        maps = [rng.integers(0, 4, (8, 11)).astype(np.uint8) for _ in range(count)]
        scale = rng.uniform(0.3, 2)
        shifts = [rng.uniform(0, scale * side, count) for side in (wide, tall)]
        frames = [then(scaling(scale, scale), shift(-x, -y)) for x, y in zip(*shifts, strict=True)]
        windows = [
            window(each, frame, (wide, tall)) for each, frame in zip(maps, frames, strict=True)
        ]
        places = np.stack(np.meshgrid(np.arange(wide), np.arange(tall)), -1) + 0.5
        inside = [
            places * each.row["frame"][[0, 1], [0, 1]] + each.row["frame"][:, 2] for each in windows
        ]
        far = [np.abs(2 * each / (11, 8) - 1).astype(np.float32).max(-1) for each in inside]
        x, y = (np.stack(inside)[..., at].astype(int).clip(0, (10, 7)[at]) for at in (0, 1))
        which = np.argmin(far, axis=0)
        each = np.stack([maps[k][y[k], x[k]] for k in range(count)])
        wanted = np.take_along_axis(each, which[None], 0)[0]
        np.testing.assert_array_equal(joined(maps, windows), wanted)
