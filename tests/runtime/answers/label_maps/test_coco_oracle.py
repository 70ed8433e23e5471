"""Run lengths and polygons are those of pycocotools, to the pixel."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco

from multigraft.runtime.answers.label_maps.polygons import filled
from multigraft.runtime.answers.label_maps.run_lengths import (
    from_text,
    lengths_of,
    mask_of,
    to_text,
)


def masks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    sizes = [(1, 1), (1, 9), (9, 1), (7, 13), (64, 48), (300, 211)]
    found = [rng.random(size) < share for size in sizes for share in (0.02, 0.5, 0.98)]
    return [*found, np.zeros((5, 4), bool), np.ones((5, 4), bool)]


def test_masks_are_written_as_coco_writes_them() -> None:
    for mask in masks():
        theirs = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
        assert to_text(lengths_of(mask)) == theirs
        np.testing.assert_array_equal(mask_of(from_text(theirs), *mask.shape), mask)


def test_lists_are_read_as_coco_reads_them() -> None:
    lengths = [3, 2, 10, 5]
    theirs = coco.frPyObjects({"size": [4, 5], "counts": lengths}, 4, 5)
    np.testing.assert_array_equal(mask_of(lengths, 4, 5), coco.decode(theirs).astype(bool))


def test_polygons_are_filled_as_coco_fills_them() -> None:
    rng = np.random.default_rng(1)
    for number in range(400):
        height, width = rng.integers(1, 60, size=2).tolist()
        corners = rng.uniform(-5, 65, size=2 * rng.integers(3, 12))
        if number % 3 == 0:
            corners = corners.round()
        if number % 3 == 1:
            corners = (corners * 2).round() / 2
        theirs = coco.decode(coco.frPyObjects([corners.tolist()], height, width))[..., 0]
        np.testing.assert_array_equal(filled(corners.tolist(), height, width), theirs.astype(bool))


@pytest.mark.parametrize(
    ("lengths", "said"),
    [([1, 2], "of 3 pixels, and 2 x 2"), ([5, -1], "whole numbers"), ([1.5, 2.5], "whole numbers")],
)
def test_lengths_of_another_size_are_refused(lengths: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        mask_of(lengths, 2, 2)


@pytest.mark.parametrize("text", ["~", "\n", "P", "o" * 20, "é"])
def test_broken_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="broken"):
        from_text(text)


@pytest.mark.parametrize(
    "corners", [[], [1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], ["a"] * 6, [1e9] * 6, [float("nan")] * 6]
)
def test_what_is_no_polygon_is_refused(corners: list[float]) -> None:
    with pytest.raises(ValueError, match="its polygon"):
        filled(corners, 4, 4)
