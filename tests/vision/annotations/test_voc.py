"""Pascal VOC as rows: pixels from 1, pictures by their names, and XML that is meant to harm."""

from __future__ import annotations

from pathlib import Path

import pytest

from multigraft.errors import DataError, RowError
from multigraft_vision.annotations.voc import FROM_ZERO, OTHER, read_voc
from multigraft_vision.annotations.xml_tree import DEPTH, parse_xml
from vision.annotations.conftest import Paint

OBJECT = """<object><name>cat</name><difficult>{difficult}</difficult>
<part><name>head</name><bndbox><xmin>2</xmin></bndbox></part>
<bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"""


def one(*sides: object, difficult: int = 0) -> str:
    return OBJECT.format(*sides, difficult=difficult)


def written(folder: Path, *objects: str, stem: str = "a", size: str = "64 48") -> Path:
    place = folder / "Annotations"
    place.mkdir(exist_ok=True)
    width, height = size.split()
    head = f"<filename>C:\\\\photos\\\\{stem}.jpg</filename><size><width>{width}</width>"
    text = f"<annotation>{head}<height>{height}</height></size>{''.join(objects)}</annotation>"
    (place / f"{stem}.xml").write_text(text)
    return place


@pytest.fixture
def folder(tmp_path: Path, paint: Paint) -> Path:
    paint("JPEGImages/a.jpg")
    paint("JPEGImages/b.jpg")
    return tmp_path


def test_pixels_count_from_one_and_the_last_belongs_to_the_box(folder: Path) -> None:
    written(folder, one(1, 2, 10, 48, difficult=1))
    written(folder, stem="b")
    found = read_voc(folder)
    assert list(found.columns["objects"]) == [
        [{"label": "cat", "box": [0, 1, 10, 47], "difficult": True, "crowd": False, "area": 470}],
        [],
    ]
    assert found.columns["image"].to_pylist() == ["a.jpg", "b.jpg"]
    assert (found.folder, found.paths) == (folder / "JPEGImages", ["a.xml", "b.xml"])
    assert (found.bad, found.notes) == ({}, [])


def test_a_box_at_pixel_zero_says_that_the_source_counts_from_zero(folder: Path) -> None:
    found = read_voc(written(folder, one(0, 2, 10, 48)))
    assert found.columns["objects"][0][0]["box"] == [0, 2, 10, 46]
    assert found.notes == [FROM_ZERO]


def test_a_list_names_the_files_of_a_split(folder: Path) -> None:
    written(folder, one(1, 2, 10, 48))
    written(folder, stem="b")
    listed = folder / "ImageSets" / "Main" / "cat_train.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("b  -1\n")
    assert read_voc(listed).columns["image"].to_pylist() == ["b.jpg"]
    listed.write_text("../b\n")
    with pytest.raises(DataError, match="is no name of a file"):
        read_voc(listed)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (one(70, 2, 80, 48), "a.jpg: object 1: the box .* outside its picture"),
        (one("x", 2, 10, 48), "object 1: its bndbox is x, 2, 10, 48; xmin"),
        (one(1, 2, 10, "1e300"), "are needed, and 1e.300 is larger than any picture"),
        (one("nan", 2, 10, 48), "object 1: its bndbox is nan"),
        ("<object><name> </name></object>", "object 1: its <name> is missing"),
        ("<object>", "is no XML: mismatched tag"),
    ],
)
def test_an_object_that_cannot_be_used_is_a_bad_row(folder: Path, wrong: str, said: str) -> None:
    found = read_voc(written(folder, wrong))
    assert list(found.bad) == [0]
    with pytest.raises(RowError, match=said):
        raise RowError(found.bad[0])


def named(folder: Path, stem: str, filename: str) -> None:
    written(folder, one(1, 2, 10, 48), stem=stem)
    file = folder / "Annotations" / f"{stem}.xml"
    file.write_text(file.read_text().replace(f"{stem}.jpg", filename))


def test_the_files_own_name_decides_between_two_pictures(folder: Path) -> None:
    named(folder, "a", "b.jpg")
    named(folder, "b", "gone.jpg")
    found = read_voc(folder)
    assert found.columns["image"].to_pylist() == ["a.jpg", "b.jpg"]
    assert (found.bad, found.warnings) == ({}, {OTHER: (1, [0])})


def test_a_picture_has_the_objects_of_one_file(folder: Path) -> None:
    named(folder, "a", "a.jpg")
    named(folder, "c", "a.jpg")
    assert read_voc(folder).bad == {1: "a.jpg: has the objects of a.xml already"}


def test_an_ending_tells_two_pictures_of_one_name_apart(folder: Path, paint: Paint) -> None:
    paint("JPEGImages/a.png")
    named(folder, "a", "a.jpg")
    assert read_voc(folder).columns["image"].to_pylist() == ["a.jpg"]


@pytest.mark.parametrize("sides", [(0.1, 0.2, 0.5, 1), (0, 0, 0.5, 1)])
def test_shares_of_the_sides_are_no_pixels(folder: Path, sides: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="these look like shares"):
        read_voc(written(folder, one(*sides)))


def test_sizes_and_pictures_must_be_there_and_agree(folder: Path) -> None:
    written(folder, size="48 64")
    written(folder, stem="c")
    found = read_voc(folder)
    assert "is said to have 48 x 64 pixels and has 64 x 48" in found.bad[0]
    assert found.bad[1] == "its picture 'c.jpg' is not in JPEGImages"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "document type"),
        (b'<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]><a>&y;</a>', "document type"),
        (b"<a>" * 99, f"is {DEPTH} deep"),
        (b"<a>&x;</a>", "is no XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "is no XML"),
        (b"", "is no XML"),
    ],
)
def test_xml_that_is_meant_to_harm_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(RowError, match=said):
        parse_xml(content)


def test_a_folder_without_annotations_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.xml file"):
        read_voc(tmp_path)
