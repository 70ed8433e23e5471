"""Objects in pictures: COCO, VOC and YOLO files broken, and boxes of any numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from PIL import Image

from fuzz.breaking import FLOATS, INTS, JUNK, TEXTS, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from multigraft.contracts.formats import Parsed
from multigraft.errors import RowError
from multigraft_vision.annotations.coco import read_coco
from multigraft_vision.annotations.voc import read_voc
from multigraft_vision.annotations.yolo import read_yolo
from multigraft_vision.detection.rows import object_rows

SIZE = 64, 48
NUMBERS = st.one_of(st.floats(-20, 90), INTS, FLOATS)
COCO: Any = {
    "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
    "annotations": [
        {"id": 4, "image_id": 1, "category_id": 2, "bbox": [1, 2, 30, 20], "area": 3, "iscrowd": 0}
    ],
    "categories": [{"id": 2, "name": "cat"}],
}
FILES = st.one_of(
    broken_bytes(st.just(json.dumps(COCO).encode())),
    *[broken_values(COCO).map(lambda each: json.dumps(each).encode())] * 2,
)
BOXED = st.lists(st.one_of(NUMBERS, JUNK), max_size=5).map(
    lambda box: json.dumps(
        {**COCO, "annotations": [{**COCO["annotations"][0], "bbox": box}]}
    ).encode()
)
SIDES = ("xmin", "ymin", "xmax", "ymax")


def voc(sides: tuple[Any, ...], label: str = "cat") -> bytes:
    """A file of one object with these sides."""
    box = "".join(f"<{name}>{side}</{name}>" for name, side in zip(SIDES, sides, strict=True))
    found = f"<object><name>{label}</name><bndbox>{box}</bndbox></object>"
    text = f"<annotation><filename>a.png</filename>{found}</annotation>"
    return text.encode(errors="surrogatepass")


def yolo(cells: tuple[Any, ...]) -> bytes:
    """A line of those cells, behind one that is sound."""
    line = " ".join(map(str, cells))
    return f"0 0.5 0.5 0.2 0.2\n{line}\n".encode(errors="surrogatepass")


def _border(
    name: str, given: st.SearchStrategy[bytes], read: Callable[[Path], Parsed], sound: bytes
) -> Border:
    """Files of one kind beside a picture; every box that is accepted lies in it."""
    file = {"coco": "a.json", "voc": "a.xml", "yolo": "a.txt"}[name]

    def feed(folder: Path, content: bytes) -> None:
        (folder / file).write_bytes(content)
        found = read(folder)
        for row, objects in enumerate(found.columns["objects"]):
            if row in found.bad:
                raise RowError(found.bad[row])
            for each in objects:
                _check(each)

    def prepare(folder: Path) -> None:
        Image.new("RGB", SIZE).save(folder / "a.png")
        (folder / "classes.txt").write_text("cat\n")

    return Border(name, given, feed, lambda: [sound], prepare=prepare)


def _check(found: Any) -> None:
    left, top, width, height = found["box"]
    inside = left >= 0 <= top and left + width <= SIZE[0] + 1e-9 and top + height <= SIZE[1] + 1e-9
    if not inside or width <= 0 or height <= 0 or not found["label"] or not found["area"] >= 0:
        raise WrongAnswer(f"{found} in a picture of {SIZE}")


CELLS = st.one_of(
    broken_values([{"label": "cat", "box": [1, 2, 30, 20], "area": 3, "crowd": False}]),
    broken_values({"bbox": [[1, 2, 30, 20]], "category": [1]}),
    st.lists(st.fixed_dictionaries({"label": JUNK, "box": st.lists(NUMBERS, max_size=5)})),
    st.builds(lambda box: json.dumps([{"label": "a", "box": box}]), st.lists(NUMBERS, max_size=5)),
    JUNK,
)


def _use(folder: Path, cell: Any) -> None:
    """A cell that is accepted can be learned and scored."""
    del folder
    for each in object_rows({"objects": cell})["objects"] or ():
        left, top, width, height = each["box"]
        area = each.get("area", width * height)
        if (
            not each["label"]
            or not (width > 0 < height)
            or not area >= 0
            or left + top != left + top
        ):
            raise WrongAnswer(f"{each}")


BORDERS = (
    Border("objects", CELLS, _use, lambda: [[{"label": "cat", "bbox": [1, 2, 3, 4]}], [], None]),
    _border(
        "coco",
        st.one_of(FILES, BOXED),
        read_coco,
        json.dumps(COCO).encode(),
    ),
    _border(
        "voc",
        st.one_of(
            broken_bytes(st.just(voc((1, 2, 30, 40)))),
            st.builds(voc, st.tuples(*[st.one_of(NUMBERS, TEXTS)] * 4), st.one_of(TEXTS)),
            st.builds(voc, st.tuples(*[NUMBERS] * 4)),
        ),
        read_voc,
        voc((1, 2, 30, 40)),
    ),
    _border(
        "yolo",
        st.one_of(
            broken_bytes(st.just(yolo((0, 0.5, 0.5, 0.1, 0.1)))),
            st.lists(st.one_of(st.floats(-0.5, 1.5), NUMBERS, TEXTS), max_size=9).map(
                lambda cells: yolo((0, *cells))
            ),
        ),
        read_yolo,
        yolo((0, 0.5, 0.5, 0.1, 0.1)),
    ),
)
