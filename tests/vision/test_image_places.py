"""A task whose targets lie on pictures, with the image reader and its augmentation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch import nn

import multigraft as mg
import multigraft_vision
from multigraft.contracts.frames import inverse, move_boxes
from multigraft.contracts.types import Arrays
from multigraft.data import Epoch, iterate
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolve import read_recipe
from multigraft.runs.assembly import assemble

ROWS, OUTSIDE = 12, 255


class Places(mg.Objective):
    """The bright square on each picture: its pixels, its box and what is in the box."""

    monitor = "loss"
    greater_is_better = False
    fills: Mapping[str, float | mg.Fill] = {"mask": OUTSIDE, "boxes": -1, "kinds": -1}
    moves: Mapping[str, str] = {"mask": "mask", "boxes": "boxes", "kinds": "with:boxes"}

    def __init__(self, brief: mg.Brief) -> None:
        self.brief = brief

    def head(self) -> nn.Module:
        return nn.Identity()

    def encode(self, row: Mapping[str, Any], arrays: Arrays) -> Arrays:
        return {
            "mask": np.array(Image.open(row["mask"])),
            "boxes": np.array([row["box"], [0, 0, 1, 1]], np.float32),
            "kinds": np.array([1, 2]),
        }


class Plugin:
    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [
            mg.Task(
                name="image-squares",
                stage="finetune",
                modalities=("image",),
                columns=("mask", "box"),
                files=("mask",),
                reader={"places": True},
                objective=Places,
            )
        ]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(0)
    lines = []
    for number in range(ROWS):
        width, height = rng.integers(60, 120, size=2).tolist()
        left, top = rng.integers(20, 25, size=2).tolist()
        box = [left, top, left + 20, top + 20]
        pixels = np.full((height, width), 20, np.uint8)
        pixels[box[1] : box[3], box[0] : box[2]] = 230
        Image.fromarray(pixels).save(folder / f"{number}.png")
        Image.fromarray((pixels > 100).astype(np.uint8)).save(folder / f"{number}.mask.png")
        lines.append({"image": f"{number}.png", "mask": f"{number}.mask.png", "box": box})
    path = folder / "squares.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    catalog = Catalog([multigraft_vision, Plugin()], discover=False)
    resolved = read_recipe(
        {
            "task": "image-squares",
            "backbone": {"name": "resnet-tiny", "weights": "scratch"},
            "data": {"train": str(path), "split": {"validation": 0, "test": 0}},
            "training": {"augment": "light"},
            "output": str(folder / "run"),
        },
        catalog,
    )
    (folder / "run").mkdir()
    return assemble(resolved, catalog, folder / "run", dispatch=lambda verb, run: None)  # type: ignore[arg-type, return-value]


def batch(run: Any, *, train: bool, epoch: int = 0) -> dict[str, np.ndarray]:
    rows = run.rows["train"]
    loaded = iterate(
        rows,
        [np.arange(len(rows))],
        Epoch(seed=0, number=epoch, augment=run.augment, train=train),
    )
    _, found = next(iter(loaded))
    return {name: tensor.numpy() for name, tensor in found.items()}


@pytest.mark.parametrize("train", [False, True])
def test_masks_and_boxes_lie_where_the_pixels_are(run: Any, train: bool) -> None:
    found = batch(run, train=train)
    assert found["mask"].shape == found["image"].shape[:3]
    for image, mask, box in zip(found["image"], found["mask"], found["boxes"][:, 0], strict=True):
        bright = image[..., 0] > 125
        assert (bright == (mask == 1)).mean() > 0.97  # all but the square's blurred edge
        rows, columns = np.nonzero(bright)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(box, seen, atol=1.6)


def test_every_epoch_moves_them_anew(run: Any) -> None:
    first, again, other = (batch(run, train=True, epoch=epoch) for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first["boxes"], again["boxes"])
    assert np.abs(first["boxes"][:, 0] - other["boxes"][:, 0]).max() > 1


def test_what_was_cropped_away_is_dropped_with_what_goes_with_it(run: Any) -> None:
    """The box in the corner stands outside the centre crop of wide and tall pictures."""
    found = batch(run, train=False)
    assert (found["kinds"][:, 0] == 1).all()
    gone = found["kinds"][:, 1] == -1 if found["kinds"].shape[1] > 1 else np.ones(ROWS, bool)
    assert gone.any()


def test_answers_find_the_way_back_to_raw_pixels(run: Any) -> None:
    found = batch(run, train=False)
    boxes = found["boxes"][:, :1]
    whole = ((boxes > 0) & (boxes < found["extent"][:, None, [0, 1, 0, 1]])).all((1, 2))
    assert whole.sum() > ROWS / 2  # the others were cut by the centre crop
    for index in np.flatnonzero(whole):
        back, _ = move_boxes(boxes[index], inverse(found["frame"][index]), np.array([120, 120]))
        np.testing.assert_allclose(back, [run.rows["train"].column("box")[index]], atol=1e-3)
