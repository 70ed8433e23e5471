"""Objects that were painted are found again where their boxes say, in pictures that were cropped,
mirrored, turned and put together of four; and every epoch can be begun anywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from multigraft.data import Epoch, iterate
from multigraft.errors import RecipeError
from multigraft_vision.augment import Policy
from multigraft_vision.mosaic import Mosaic

ROWS, OUTSIDE, SIDE = 12, 255, (90, 70)
COLOURS = np.array([[r, g, b] for r in (60, 150, 240) for g in (60, 150, 240) for b in (60, 240)])
"""Apart from each other by more than what resampling blurs."""


class Painted(mg.Objective):
    """Rows of boxes, what colour each is, and the mask of both."""

    fills: Mapping[str, float | mg.Fill] = {
        **{"boxes": 0.0, "colours": -1},
        "mask": mg.Fill(OUTSIDE, {0: "height", 1: "width"}),
    }
    moves: Mapping[str, str] = {"boxes": "boxes", "colours": "with:boxes", "mask": "mask"}


class PaintedRows:
    """Pictures [70, 90, 3] of two plain boxes on black."""

    reader = SimpleNamespace(fills={})
    objective = Painted()

    def __len__(self) -> int:
        return ROWS

    def fetch(self, index: int, names: Collection[str] | None) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(index)
        width, height = SIDE
        image = np.zeros((height, width, 3), np.uint8)
        mask = np.full((height, width), 99)
        colours = rng.choice(len(COLOURS), 2, replace=False)
        boxes = []
        for colour, first in zip(colours.tolist(), (0, width // 2), strict=True):
            left, top = int(rng.integers(first, first + 15)), int(rng.integers(0, 40))
            box = [left, top, left + int(rng.integers(14, 28)), top + int(rng.integers(14, 28))]
            image[box[1] : box[3], box[0] : box[2]] = COLOURS[colour]
            mask[box[1] : box[3], box[0] : box[2]] = colour
            boxes.append(box)
        return {
            **{"image": image, "boxes": np.array(boxes, np.float32), "colours": colours},
            **{"mask": mask, "frame": np.eye(2, 3, dtype=np.float32)},
            "extent": np.array(SIDE, np.float32),
        }


def batches(share: float, *, start: int = 0, epoch: int = 0, **policy: Any) -> Any:
    policy = {"crop": (0.5, 1.0), "flip": True} | policy
    augment = Mosaic(Policy(**policy), share)
    plan = np.arange(ROWS).reshape(-1, 3)
    epochs = Epoch(seed=1, number=epoch, augment=augment, train=True)
    rows: Any = PaintedRows()
    for _, batch in iterate(rows, list(plan), epochs, start=start):
        yield {name: tensor.numpy() for name, tensor in batch.items()}


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_painted_objects_are_found_again(share: float) -> None:
    seen = 0
    for epoch in range(8):
        for batch in batches(share, epoch=epoch):
            for image, boxes, colours, mask in zip(
                *(batch[name] for name in ("image", "boxes", "colours", "mask")), strict=True
            ):
                seen += check(image, boxes[colours >= 0], colours[colours >= 0], mask)
    assert seen > 150


def check(image: np.ndarray, boxes: np.ndarray, colours: np.ndarray, mask: np.ndarray) -> int:
    """Each box is full of its colour, nothing outside of boxes has it, and the mask agrees."""
    assert image.shape[:2] == mask.shape == SIDE[::-1]
    assert ((boxes >= 0) & (boxes <= np.tile(SIDE, 2))).all()
    near = np.abs(image[:, :, None].astype(int) - COLOURS).max(-1) < 20  # [H, W, colours]
    outside = np.ones(image.shape[:2], bool)
    count = 0
    for box, colour in zip(boxes, colours.tolist(), strict=True):
        left, top, right, bottom = np.round(box).astype(int).tolist()
        outside[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2] = False
        inner = slice(top + 2, bottom - 2), slice(left + 2, right - 2)
        if near[inner].size and min(right - left, bottom - top) > 6:
            assert near[inner][..., colour].mean() > 0.98
            assert (mask[inner] == colour).mean() > 0.98
            count += 1
    assert not near[outside].any()
    return count


def test_a_mosaic_holds_four_pictures() -> None:
    found = [len(set(row[row >= 0].tolist())) for b in batches(1.0) for row in b["colours"]]
    assert max(found) > 2
    few = [len(row[row >= 0]) for b in batches(0.0) for row in b["colours"]]
    assert max(few) == 2


def test_an_epoch_goes_on_with_the_same_bits_wherever_it_is_begun() -> None:
    whole, rest = list(batches(0.5)), list(batches(0.5, start=2))
    for one, other in zip(whole[2:], rest, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_task_with_labels_of_whole_pictures_refuses_it(tmp_path: Path) -> None:
    from helpers.painted_objects import coco_folder

    coco_folder(tmp_path / "red", 4)
    coco_folder(tmp_path / "blue", 4, seed=1)
    recipe = {
        "task": "image-classification",
        "backbone": {"name": "resnet-tiny", "weights": "scratch"},
        "data": {"train": str(tmp_path), "split": {"test": 0}},
        "training": {"augment": {"name": "light", "mosaic": 0.5}},
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(RecipeError, match="more to a row than masks or boxes on a picture"):
        mg.finetune(recipe)
