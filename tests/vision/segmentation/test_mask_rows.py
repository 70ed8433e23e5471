"""Masks of every form become the same classes, and those that cannot be used are named."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco

import multigraft_vision
from helpers.painted_scenes import table
from multigraft import RowError
from multigraft.contracts.options import defaults
from multigraft.contracts.orientation import TAG
from multigraft.engine import Engine
from multigraft.errors import DataError, RecipeError
from multigraft.runtime.answers.label_maps.classes import IGNORE, classes_of
from multigraft.runtime.answers.label_maps.expected import expected_map, opened
from multigraft.runtime.answers.label_maps.polygons import is_sliver
from multigraft_vision.pictures import open_rgb
from multigraft_vision.segmentation.rows import class_spec, mask_rows
from multigraft_vision.segmentation.task import SEMANTIC_SEGMENTATION

CLASSES = np.array([[0, 0, 1, 1], [0, 2, 2, 255], [0, 2, 2, 1]], np.uint8)
"""Of a picture four wide and three high."""
COLORS = {0: (0, 0, 0), 1: (255, 0, 0), 2: (0, 128, 255), 255: (224, 224, 192)}


def options(**given: Any) -> dict[str, Any]:
    return {**defaults(SEMANTIC_SEGMENTATION.options), **given}


def png(values: np.ndarray, kind: str = "PNG", **more: Any) -> bytes:
    held, picture = BytesIO(), Image.fromarray(values)
    if more.get("palette"):
        picture.putpalette([shade for value in range(256) for shade in (9, value, 255 - value)])
    picture.save(held, kind)
    return held.getvalue()


def read(cell: Any, **given: Any) -> np.ndarray:
    spec = class_spec({"mask": [cell]}, options(**given))
    return expected_map(cell, classes_of(spec), (4, 3))


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    found = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": found["size"], "counts": found["counts"].decode()}


@pytest.mark.parametrize("palette", [False, True])
def test_values_and_palettes_are_the_numbers_in_the_file(palette: bool, tmp_path: Path) -> None:
    cell = png(CLASSES, palette=palette)
    np.testing.assert_array_equal(read(cell), CLASSES)
    (tmp_path / "mask.png").write_bytes(cell)
    np.testing.assert_array_equal(read(str(tmp_path / "mask.png")), CLASSES)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("turned", range(1, 9))
def test_a_mask_is_turned_upright_as_its_picture_is(kind: str, turned: int) -> None:
    held, exif = BytesIO(), Image.Exif()
    exif[TAG] = turned
    Image.fromarray(CLASSES).save(held, kind, exif=exif)
    seen = open_rgb(held.getvalue(), 100)
    np.testing.assert_array_equal(opened(held.getvalue()), np.asarray(seen)[..., 0])


def test_colours_are_told_by_a_table() -> None:
    cell = png(np.array([[COLORS[value] for value in line] for line in CLASSES], np.uint8))
    given = {"colors": ["#000000", "#ff0000", "#0080ff"], "ignore": "#e0e0c0"}
    np.testing.assert_array_equal(read(cell, classes=["a", "b", "c"], **given), CLASSES)
    with pytest.raises(RowError, match="colour #e0e0c0 at 3, 1, which no class has"):
        read(cell, classes=["a", "b", "c"], colors=given["colors"])
    with pytest.raises(DataError, match="in colours: say which class has which"):
        read(cell)


def test_objects_are_painted_the_smaller_ones_above() -> None:
    square = np.zeros((3, 4), bool)
    square[1:, 1:3] = True
    everything = [0, 12]
    cell = [
        {"label": "b", "box": [1, 1, 2, 2], "segmentation": run_lengths(square)},
        {"label": "a", "segmentation": {"size": [3, 4], "counts": everything}},
        {"label": "c", "segmentation": [[3, 0, 4, 0, 4, 2, 3, 2]], "crowd": True},
    ]
    found = read(cell)
    assert class_spec({"mask": [cell]}, options())["labels"] == ["background", "a", "b", "c"]
    np.testing.assert_array_equal(found == 2, square)
    assert found[0, 3] == 3 and found[1, 3] == 3 and found[0, 0] == 1
    alone = read([cell[0]], background="")
    np.testing.assert_array_equal(alone == IGNORE, ~square)


def test_a_row_with_objects_has_its_mask_from_them() -> None:
    objects = [{"label": "a"}]
    assert mask_rows({"image": "x", "objects": objects})["mask"] == objects
    assert mask_rows({"image": "x", "objects": objects, "mask": "m.png"})["mask"] == "m.png"
    assert "mask" not in mask_rows({"image": "x"})


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        (None, "the mask is missing"),
        (3, "the mask is int; it is the name of a PNG"),
        (b"no picture", "broken image file, or none"),
        (png(CLASSES)[:40], "broken image file, or none"),
        (png(CLASSES[:2]), "4 x 2 pixels, and its picture .upright. 4 x 3"),
        (png(np.full((3, 4), 7, np.uint8)), "the value 7 at 0, 0, which no class has"),
        (png(np.ones((3, 4, 3), np.uint8)), "has colours, but the three channels are equal"),
        (
            png(np.eye(3, 4, dtype=np.uint8)[..., None] * np.array([1, 2, 3], np.uint8)),
            "the mask has colours; say",
        ),
        (png(CLASSES, "JPEG"), "is JPEG, which changes values; save it as PNG"),
    ],
)
def test_masks_that_cannot_be_used_say_why(cell: Any, said: str) -> None:
    classes = classes_of(class_spec({"mask": [png(CLASSES)]}, options()))
    with pytest.raises(RowError, match=said):
        expected_map(cell, classes, (4, 3))


@pytest.mark.parametrize(
    ("each", "said"),
    [
        ("a", "object 1 has no label"),
        ({"label": "z", "segmentation": [[0, 0, 1, 1, 1, 0]]}, "is 'z', which no class is called"),
        ({"label": "a"}, r"object 1 \(a\): it has no segmentation"),
        ({"label": "a", "segmentation": [[0, 0, 1]]}, "at least three corners"),
        ({"label": "a", "segmentation": {"size": [4, 3], "counts": [12]}}, "the size '.4, 3.'"),
        ({"label": "a", "segmentation": [[9, 9, 12, 9, 12, 12]]}, r"\(a\): it has no pixel in its"),
        ({"label": "a", "segmentation": [[9, 9, 12, 9, 12, 12]]}, "of 4 x 3$"),
        ({"label": "a", "segmentation": [["0", 0, "0.4", 0, 0.4, 0.4]]}, "like shares"),
        ({"label": "a", "segmentation": [[0, 0, 0.4, 0, 0.4, 0.4]]}, "like shares of the sides"),
        ({"label": "a", "segmentation": {"size": [3, 4], "counts": [12]}}, "it has no pixel"),
        ({"label": "a", "segmentation": {"size": [3, 4], "counts": [5]}}, "are of 5 pixels"),
        ({"label": "a", "segmentation": {"size": [3, 4], "counts": "\n"}}, "are broken"),
    ],
)
def test_objects_that_cannot_be_used_say_why(each: Any, said: str) -> None:
    good = [{"label": "a", "segmentation": [[0, 0, 2, 0, 2, 2]]}]
    classes = classes_of(class_spec({"mask": [good]}, options()))
    with pytest.raises(RowError, match=said):
        expected_map([each], classes, (4, 3))


def test_slivers_are_left_out_and_told() -> None:
    good = {"label": "a", "segmentation": [[0, 0, 2, 0, 2, 2]]}
    upright = {"label": "a", "segmentation": [[2.1, 0, 2.3, 0, 2.3, 3, 2.1, 3]]}
    slanted = {"label": "a", "segmentation": [[1.2, 0, 1.3, 0, 3.9, 2.6, 3.8, 2.6]]}
    told: list[str] = []
    assert mask_rows({"objects": [upright, good, slanted]}, told.append)["mask"] == [good]
    assert mask_rows({"mask": [upright]}, told.append)["mask"] == []
    assert told == ["an object too thin to hold the middle of a pixel was left out"] * 3
    assert mask_rows({"objects": [upright]})["mask"] == []


@pytest.mark.parametrize(
    "segmentation",
    [None, [], "x", [[0, 0, 1]], [[0, 0, 0.4, 0, 0.4, 0.4]], {"size": [3, 4], "counts": [12]}],
)
def test_objects_with_other_faults_are_kept_to_be_told(segmentation: Any) -> None:
    each = {"label": "a", "segmentation": segmentation}
    assert mask_rows({"objects": [each, "a"]})["mask"] == [each, "a"]


@pytest.mark.parametrize("seed", range(3))
def test_slivers_are_those_that_pycocotools_gives_no_pixel(seed: int) -> None:
    rng, found = np.random.default_rng(seed), 0
    for _ in range(200):
        start, step = rng.uniform(1, 20, 2), rng.uniform(-4, 4, (3, 2)) * rng.choice([0.1, 1])
        corners = (start + np.concatenate([np.zeros((1, 2)), step])).clip(0).ravel().tolist()
        (mask,) = coco.frPyObjects([corners], 30, 30)
        assert is_sliver([corners]) == (coco.area(mask) == 0)
        found += is_sliver([corners])
    assert 0 < found < 200


def test_masks_of_which_none_can_be_used_say_why(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(png(CLASSES, "JPEG"))
    bad = str(tmp_path / "a.jpg")
    with pytest.raises(
        DataError, match=r"none of .* 2 masks can be used; the first: a.jpg: .* JPEG"
    ):
        class_spec({"mask": [bad, b"broken"]}, options())
    ground = png(np.zeros((3, 4), np.uint8))
    with pytest.raises(DataError, match=r"1 different .* needed \(1 of 2 masks cannot .* JPEG"):
        class_spec({"mask": [ground, bad]}, options())
    with pytest.raises(DataError, match=r"1 different classes; at least 2 are needed$"):
        class_spec({"mask": [ground]}, options())


def test_classes_are_learned_or_named() -> None:
    cells = {"mask": [png(np.array([[3, 9], [255, 9]], np.uint8))]}
    learned = class_spec(cells, options())
    assert (learned["labels"], learned["values"], learned["counts"]) == (["3", "9"], [3, 9], [])
    counted = class_spec(cells, options(class_weights="balanced"))
    assert counted["counts"] == [1, 2]
    polygon = [{"label": "a", "segmentation": [[1, 0, 3, 0, 3, 2, 1, 2]]}, "broken"]
    drawn = class_spec({"mask": [polygon[:1], polygon, []]}, options(class_weights="balanced"))
    assert drawn["counts"] == [2, 4]
    named = class_spec(cells, options(classes=["sky", "sea"]))
    assert (named["labels"], named["values"]) == (["sky", "sea"], [0, 1])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"colors": ["red", "#000000"]}, "a colour is written as '#ff0000'"),
        ({"colors": ["#000000"], "classes": ["a", "b"]}, "1 colours for 2 classes"),
        ({"classes": ["a", "a"]}, "have one name"),
    ],
)
def test_options_that_contradict_each_other_are_refused(given: Any, said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        class_spec({"mask": [png(CLASSES)]}, options(**given))


def test_bad_masks_are_named_with_their_row(tmp_path: Path) -> None:
    path = table(tmp_path, 6)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    lines[1]["mask"] = lines[0]["mask"]
    lines[4]["mask"] = "nowhere.png"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = {
        "task": "semantic-segmentation",
        "backbone": {"name": "resnet-tiny", "weights": "scratch"},
        "data": {"train": str(path), "split": {"validation": 0, "test": 0}},
        "output": str(tmp_path / "run"),
    }
    with pytest.raises(DataError) as caught:
        Engine([multigraft_vision], discover=False).start(recipe, "finetune")
    assert "row 2, column 'mask': the mask has 40 x 40 pixels, and its picture" in str(caught.value)
    told = str(caught.value).partition("row 5, column 'mask': ")[2].splitlines()[0]
    assert told == "the file cannot be read: No such file or directory: 'nowhere.png'"
