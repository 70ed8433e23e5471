"""YOLO files as rows: shares become pixels, polygons boxes, and each fault has its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from multigraft.errors import DataError, RowError
from multigraft_vision.annotations.boxes import CUT
from multigraft_vision.annotations.yolo import read_yolo
from vision.annotations.conftest import Paint


@pytest.fixture
def folder(tmp_path: Path, paint: Paint) -> Path:
    """A set as YOLO lays it out, of 64 x 48 pixels a picture."""
    paint("images/train/a.jpg")
    paint("images/train/b.jpg")
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "data.yaml").write_text("train: images/train\nnames: {0: cat, 1: dog}\n")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "labels" / "train" / "a.txt").write_text(text)
    return folder / "images" / "train"


def test_shares_become_pixels_and_polygons_boxes(folder: Path) -> None:
    place = write(folder, "1 0.5 0.5 0.25 0.5\n\n0 0.25 0.25 0.5 0.25 0.5 0.75\n")
    found = read_yolo(place)
    (first, second), none = found.columns["objects"]
    assert first == {"label": "dog", "box": [24, 12, 16, 24], "crowd": False, "area": 384}
    assert (second["label"], second["box"]) == ("cat", [16, 12, 16, 24])
    assert second["segmentation"] == [[16, 12, 32, 12, 32, 36]]
    assert none == []
    assert found.columns["image"].to_pylist() == ["a.jpg", "b.jpg"]
    assert found.notes == [
        "the names of classes are those of data.yaml",
        "1 of 2 pictures have no file of objects: they show none",
    ]


def test_a_mark_of_the_encoding_is_no_cell(folder: Path) -> None:
    found = read_yolo(write(folder, "\ufeff0 0.5 0.5 0.25 0.5\n"))
    assert (found.columns["objects"][0][0]["label"], found.bad) == ("cat", {})


def test_a_list_of_pictures_is_a_split(folder: Path) -> None:
    write(folder, "0 0.5 0.5 0.25 0.5\n")
    (folder / "train.txt").write_text("./images/train/a.jpg\n")
    found = read_yolo(folder / "train.txt")
    assert found.columns["image"].to_pylist() == ["images/train/a.jpg"]
    assert found.folder == folder
    with pytest.raises(DataError, match="names the splits of a set"):
        read_yolo(folder / "data.yaml")


def test_a_box_that_sticks_out_is_cut_and_told(folder: Path) -> None:
    found = read_yolo(write(folder, "0 0.0 0.5 0.5 0.5\n"))
    assert found.columns["objects"][0][0]["box"] == [0, 12, 16, 24]
    assert found.warnings == {CUT: (1, [0])}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("7 0.5 0.5 0.1 0.1", "a.jpg: a.txt line 2: the class 7 is none of the 2"),
        ("cat 0.5 0.5 0.1 0.1", "'cat' is no finite number"),
        ("0 nan 0.5 0.1 0.1", "'nan' is no finite number"),
        ("0 0.5 0.5 0.1 1e300", "1e.300 is no share of a side"),
        ("0 32 24 10 10", "32 is no share of a side"),
        ("0 0.5 0.5 0.1", "has 4 cells"),
        ("0 1.5 0.5 0.1 0.1", "outside its picture"),
    ],
)
def test_a_line_that_cannot_be_used_is_a_bad_row(folder: Path, line: str, said: str) -> None:
    found = read_yolo(write(folder, f"0 0.5 0.5 0.1 0.1\n{line}\n"))
    assert list(found.bad) == [0]
    with pytest.raises(RowError, match=said):
        raise RowError(found.bad[0])


def test_classes_need_names(folder: Path) -> None:
    place = write(folder, "")
    (folder / "data.yaml").write_text("nc: 2\n")
    with pytest.raises(DataError, match=r"data\.yaml: has no names"):
        read_yolo(place)
    (folder / "data.yaml").unlink()
    (folder / "classes.txt").write_text("cat\ndog\n")
    assert read_yolo(place).notes[0].endswith("classes.txt")
    (folder / "classes.txt").unlink()
    with pytest.raises(DataError, match="the names of its classes are needed"):
        read_yolo(place)
