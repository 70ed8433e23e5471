"""Every entry of a folder is a row, a bad row, or told by its name; folders of splits are no
classes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.data import Rows, Table, load_table
from multigraft.errors import DataError


def fill(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two classes of two pictures."""
    fill(
        tmp_path / "photos",
        *(f"{label}/{number}.png" for label in ("cat", "dog") for number in (1, 2)),
    )
    return tmp_path / "photos"


@pytest.fixture
def load(photos: Path, image: Modality) -> Any:
    return lambda: load_table(str(photos), modality=image, columns={})


def bad(table: Table) -> dict[str, str]:
    found = {table.place(row): table.problem(row) for row in range(len(table))}
    return {place: why for place, why in found.items() if why is not None}


def test_a_dangling_link_is_a_bad_row(
    photos: Path, load: Any, reader: Reader, objective: Objective
) -> None:
    for number in range(3):
        (photos / "dog" / f"far{number}.jpg").symlink_to("/nowhere/at/all.jpg")
    (photos / "dog" / "notes.txt").symlink_to("/nowhere/notes.txt")
    table = load()
    places = [f"photos/dog/far{number}.jpg" for number in range(3)]
    assert bad(table) == dict.fromkeys(places, "is a link to nothing")
    assert table.column("label").count("dog") == 5
    assert table.notes == ("photos: 1 file of other kinds left out: 1 .txt",)
    with pytest.raises(DataError, match=r"photos/dog/far1\.jpg: is a link to nothing"):
        Rows.audit(table, reader, objective, allowed_bad=0, name="train")


def test_a_class_that_cannot_be_listed_is_a_bad_row(
    photos: Path, load: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def scandir(path: Path) -> Any:
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr("multigraft.data.sources.folders.os.scandir", scandir)
    table = load()
    assert bad(table) == {"photos/dog": "cannot be listed: Permission denied"}
    assert table.column("label") == ["cat", "cat", "dog"]


def test_a_pipe_is_a_bad_row(photos: Path, load: Any) -> None:
    os.mkfifo(photos / "cat" / "3.png")
    assert bad(load()) == {"photos/cat/3.png": "is no plain file"}


def test_a_link_to_what_holds_it_is_told_once(photos: Path, load: Any) -> None:
    (photos / "cat" / "again").symlink_to(photos)
    assert bad(load()) == {"photos/cat/again": "is a link to a folder that holds it"}
    assert len(load()) == 5


def test_a_class_of_which_no_picture_is_read_is_bad_rows(photos: Path, load: Any) -> None:
    fill(photos, "owl/1.HEIC", "owl/2.heic", "owl/3.avif", "owl/thumbs.db", "cat/3.m4a")
    table = load()
    assert bad(table) == {
        f"photos/owl/{name}": f"files ending in {kind} are not read; convert it, as to .png"
        for name, kind in (("1.HEIC", ".heic"), ("2.heic", ".heic"), ("3.avif", ".avif"))
    }
    assert table.notes == ("photos: 2 files of other kinds left out: 1 .db, 1 .m4a",)


def test_hidden_and_empty_classes_are_named(photos: Path, load: Any) -> None:
    fill(photos, ".NET/1.png", ".DS_Store", "cat/._1.png", "papers/a.txt", "papers/b")
    (photos / "bird").mkdir()
    table = load()
    assert len(table) == 4
    assert table.notes == (
        "photos: 2 files of other kinds left out: 1 .txt, 1 without an ending",
        "photos: 3 entries whose names begin with a dot left out: '.DS_Store', '.NET', "
        "'cat/._1.png'; rename a class that is called so",
        "photos: 2 folders without a file that can be read, so no class: 'bird', 'papers'",
    )


def test_files_that_metadata_does_not_name_are_told(photos: Path, load: Any) -> None:
    (photos / "metadata.csv").write_text(f"file_name,label\n./cat/1.png,a\n{photos}/dog/1.png,b\n")
    assert load().notes == (
        "photos/metadata.csv: 2 files that it does not name left out: 'cat/2.png', 'dog/2.png'",
    )


def test_a_folder_without_a_row_says_what_it_holds(tmp_path: Path, image: Modality) -> None:
    fill(tmp_path / "photos", "cat/1.txt", ".x/1.png")
    with pytest.raises(DataError, match=r"holds no file ending in [\s\S]*1 \.txt[\s\S]*'\.x'"):
        load_table(str(tmp_path / "photos"), modality=image, columns={})


@pytest.mark.parametrize(
    "splits",
    [
        {"Train": "train", "val": "validation", "test": "test"},
        {"TRAIN": "train", "TEST": "test"},
        {"training_set": "train", "test_set": "test"},
        {"train2017": "train", "val2017": "validation"},
        {"dev": "validation", "Test": "test"},
        {"train": "train"},
    ],
)
@pytest.mark.parametrize("above", ["", "images/"])
def test_splits_are_no_classes(
    tmp_path: Path, image: Modality, splits: dict[str, str], above: str
) -> None:
    fill(
        tmp_path / "set",
        *(f"{above}{split}/{label}/1.png" for split in splits for label in ("cat", "dog")),
    )
    with pytest.raises(DataError, match="holds splits, not classes") as error:
        load_table(str(tmp_path / "set"), modality=image, columns={})
    for split, field in splits.items():
        assert f"  {field}: set/{above}{split}" in str(error.value).splitlines()


def test_what_lies_beside_splits_is_asked_for(tmp_path: Path, image: Modality) -> None:
    fill(tmp_path / "set", *(f"{split}/1.png" for split in ("Train", "val", "extra")))
    with pytest.raises(
        DataError, match=r"what are 'extra' beside them\?\nif these are classes, rename"
    ):
        load_table(str(tmp_path / "set"), modality=image, columns={})


@pytest.mark.parametrize(
    "labels", [["train", "bus", "tram"], ["test", "cat"], ["trains", "tests"], ["train"]]
)
def test_classes_may_have_such_names(tmp_path: Path, image: Modality, labels: list[str]) -> None:
    fill(tmp_path / "set", *(f"{label}/1.png" for label in labels))
    assert set(
        load_table(str(tmp_path / "set"), modality=image, columns={}).column("label")
    ) == set(labels)


@pytest.mark.parametrize(
    "splits",
    [
        {"seg_train": "train", "seg_test": "test"},
        {"flowers-train": "train", "flowers-valid": "validation"},
        {"training_a": "train", "test_a": "test"},
        {"ID_train": "train", "OOD_test": "test", "my val": "validation"},
        {"x_val": "validation", "x_test": "test"},
    ],
)
def test_splits_may_have_a_name_beside(
    tmp_path: Path, image: Modality, splits: dict[str, str]
) -> None:
    test_splits_are_no_classes(tmp_path, image, splits, "")


@pytest.mark.parametrize("splits", [("my_train", "my_test"), ("train", "my_test")])
def test_splits_without_labels_may_have_a_name_beside(
    tmp_path: Path, image: Modality, splits: tuple[str, ...]
) -> None:
    fill(tmp_path / "set", *(f"{split}/1.png" for split in splits))
    with pytest.raises(DataError, match="holds splits, not classes"):
        load_table(str(tmp_path / "set"), modality=image, columns={})


@pytest.mark.parametrize(
    ("splits", "beside"),
    [
        (("seg_train", "seg_test"), "seg_pred"),
        (("flowers-train", "flowers-valid", "flowers-test"), "flowers unlabelled"),
        (("Train_A", "Dev_A"), "extra_A"),
    ],
)
def test_a_folder_without_labels_may_lie_beside_such_splits(
    tmp_path: Path, image: Modality, splits: tuple[str, ...], beside: str
) -> None:
    named = [f"{split}/{label}/1.png" for split in splits for label in ("cat", "dog")]
    fill(tmp_path / "set", *named)
    fill(tmp_path / "set", f"{beside}/1.png", f"{beside}/2.png")
    told = rf"holds splits, not classes[\s\S]*what are '{beside}' beside them"
    with pytest.raises(DataError, match=told):
        load_table(str(tmp_path / "set"), modality=image, columns={})


@pytest.mark.parametrize(
    "labels",
    [
        ["train station", "test tube", "bus"],
        ["train station", "test station", "bus"],
        ["test station", "valid station", "bus station"],
        ["freight train", "passenger train"],
        ["test tube", "valid ticket"],
        ["my train", "bus"],
        ["train test", "my train"],
    ],
)
def test_classes_may_hold_a_name_of_a_part(
    tmp_path: Path, image: Modality, labels: list[str]
) -> None:
    test_classes_may_have_such_names(tmp_path, image, labels)


def test_classes_of_one_part_may_hold_the_same_folders(tmp_path: Path, image: Modality) -> None:
    labels = ["freight train", "passenger train"]
    fill(
        tmp_path / "set",
        *(f"{label}/{side}/1.png" for label in labels for side in ("left", "right")),
    )
    assert set(
        load_table(str(tmp_path / "set"), modality=image, columns={}).column("label")
    ) == set(labels)
