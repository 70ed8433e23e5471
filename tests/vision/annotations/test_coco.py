"""COCO files as rows: boxes in pixels, pictures wherever they lie, and each fault by its name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.formats import Parsed
from multigraft.errors import DataError
from multigraft_vision.annotations.boxes import CUT, EMPTY, SWAPPED
from multigraft_vision.annotations.coco import read_coco
from multigraft_vision.annotations.units import LIKE_CORNERS
from vision.annotations.conftest import Paint


def annotation(number: int, box: Any, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 1, "category_id": 3, "bbox": box, "area": 7, **more}


def coco(*annotations: Any, **more: Any) -> dict[str, Any]:
    images = [{"id": 1, "file_name": "a.jpg", "width": 64, "height": 48}]
    return {
        "images": images,
        "annotations": list(annotations),
        "categories": [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}],
        **more,
    }


def read(folder: Path, content: Any, name: str = "rows.json") -> Parsed:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))
    return read_coco(folder / name)


def test_a_picture_is_a_row_with_its_objects(tmp_path: Path, paint: Paint) -> None:
    paint("a.jpg")
    paint("b.jpg", (10, 10))
    listed = [*coco()["images"], {"id": "b", "file_name": "b.jpg"}]
    crowd = annotation(2, [0, 0, 9, 9], category_id=9, iscrowd=1, segmentation={"counts": [1]})
    found = read(tmp_path, coco(annotation(1, [4, 5, 6.5, 7]), crowd, images=listed))
    assert list(found.columns["objects"]) == [
        [
            {"label": "cat", "box": [4.0, 5.0, 6.5, 7.0], "area": 7, "crowd": False, "id": 1},
            {
                **{"label": "dog", "box": [0.0, 0.0, 9.0, 9.0], "area": 7, "crowd": True},
                **{"id": 2, "segmentation": {"counts": [1]}},
            },
        ],
        [],
    ]
    assert found.columns["image"].to_pylist() == ["a.jpg", "b.jpg"]
    assert found.columns["width"].to_pylist() == [64, 10]
    assert (found.bad, found.warnings, found.notes) == ({}, {}, [])


def test_a_box_that_can_be_mended_is_and_it_is_told(tmp_path: Path, paint: Paint) -> None:
    paint("a.jpg")
    found = read(
        tmp_path,
        coco(
            annotation(1, [60, 40, 10, 4]),
            annotation(2, [20, 20, -10, -5]),
            annotation(3, [5, 5, 0, 9]),
            annotation(4, [0, 0, 64.5, 48]),
        ),
    )
    boxes = [each["box"] for each in found.columns["objects"][0]]
    assert boxes == [[60, 40, 4, 4], [10, 15, 10, 5], [0, 0, 64, 48]]
    assert found.warnings == {what: (1, [0]) for what in (CUT, EMPTY, SWAPPED)}
    assert found.bad == {}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (annotation(7, [70, 0, 5, 5]), "a.jpg: annotation 7: .* outside its picture of 64 x 48"),
        (annotation(7, [float("nan"), 0, 5, 5]), "annotation 7: the box is .*nan.*; four finite"),
        (annotation(7, [1, 2, 3]), "four finite numbers"),
        (annotation(7, ["1", 2, 3, 4]), "four finite numbers"),
        (annotation(7, [1, 2, 3, 10**400]), "four finite numbers"),
        (annotation(7, [1, 2, 3, 1e300]), "four .* and 1e.300 is larger than any picture"),
        (annotation(7, [1, 2, 3, 4], iscrowd="maybe"), "annotation 7: .* 'maybe'; 0 or 1 is"),
        (annotation(7, [1, 2, 3, 4], category_id=4), "annotation 7: the category 4 is none of 3"),
        ("x", "^annotation None is of the picture"),
        (annotation(7, [1, 2, 3, 4], image_id=5), "annotation 7 is of the picture 5, which"),
    ],
)
def test_an_annotation_that_cannot_be_used_is_a_bad_row_by_its_name(
    tmp_path: Path, paint: Paint, wrong: Any, said: str
) -> None:
    paint("a.jpg")
    found = read(tmp_path, coco(wrong, annotation(8, [1, 1, 2, 2])))
    ((row, why),) = found.bad.items()
    assert re.search(said, why), why
    assert row in (0, 1)


@pytest.mark.parametrize(
    ("said", "crowd"), [(None, False), (1, True), ("1", True), ("no", False), (True, True)]
)
def test_a_crowd_may_be_told_by_text(tmp_path: Path, paint: Paint, said: Any, crowd: bool) -> None:
    paint("a.jpg")
    found = read(tmp_path, coco(annotation(1, [1, 1, 2, 2], iscrowd=said)))
    assert found.columns["objects"][0][0]["crowd"] is crowd


def test_shares_of_the_sides_are_no_pixels(tmp_path: Path, paint: Paint) -> None:
    paint("a.jpg")
    shares = annotation(1, [0.25, 0.5, 0.25, 0.5])
    with pytest.raises(DataError, match=r"0.25, 0.5, 0.5, 1.: these look like shares .* multiply"):
        read(tmp_path, coco(shares))
    assert read(tmp_path, coco(shares, annotation(2, [0.5, 0.5, 1, 1]))).bad == {}
    assert read(tmp_path, coco(annotation(1, [0, 0, 1, 1]))).bad == {}


def test_corners_in_the_place_of_width_and_height_are_told(tmp_path: Path, paint: Paint) -> None:
    paint("a.jpg")
    corners = [annotation(1, [30, 20, 60, 40]), annotation(2, [9, 5, 60, 30])]
    assert read(tmp_path, coco(*corners)).notes == [LIKE_CORNERS]
    assert read(tmp_path, coco(*corners, annotation(3, [40, 30, 9, 9]))).notes == []


def test_ids_that_match_nowhere_are_told(tmp_path: Path, paint: Paint) -> None:
    paint("a.jpg")
    with pytest.raises(DataError, match=r"no annotation's image_id \('1'\) .* \(1\); write them"):
        read(tmp_path, coco(annotation(1, [1, 1, 2, 2], image_id="1")))


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_a_picture_of_another_size_than_its_boxes_are_of_is_refused(
    tmp_path: Path, paint: Paint, name: str
) -> None:
    paint(name, (64, 48), turned=6)
    images = [{**coco()["images"][0], "file_name": name}]
    found = read(tmp_path, coco(annotation(1, [1, 1, 2, 2]), images=images))
    assert "is said to have 64 x 48 pixels and has 48 x 64 (upright)" in found.bad[0]


def test_an_id_that_was_met_before_is_a_bad_row(tmp_path: Path, paint: Paint) -> None:
    paint("a.jpg")
    images = coco()["images"] * 2
    assert "another picture's already" in read(tmp_path, coco(images=images)).bad[1]


def test_pictures_are_found_where_coco_has_them(tmp_path: Path, paint: Paint) -> None:
    paint("train2017/a.jpg")
    found = read(tmp_path, coco(), "annotations/instances_train2017.json")
    assert found.folder == tmp_path / "train2017"
    assert found.notes == ["the pictures were found in train2017"]


def test_a_folder_of_pictures_holds_its_file(tmp_path: Path, paint: Paint) -> None:
    paint("a.jpg")
    read(tmp_path, coco(), "_annotations.coco.json")
    (tmp_path / "more.json").write_text("{}")
    assert read_coco(tmp_path).columns["image"].to_pylist() == ["a.jpg"]
    (tmp_path / "_annotations.coco.json").unlink()
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(DataError, match="holds 2 JSON files; name one"):
        read_coco(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "no list 'images'"),
        ({"images": []}, "no list 'annotations'"),
        (coco(images=[]), "lists no pictures"),
        (coco(categories=[{"id": 1}]), "category 1 has no id and name"),
        (coco(categories=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]), "an id is one"),
    ],
)
def test_what_is_no_coco_file_says_so(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, content)
