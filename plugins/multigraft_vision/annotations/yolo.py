"""YOLO: a text file beside each picture, a line an object, in shares of the picture's sides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from multigraft import RowError
from multigraft.contracts.formats import PLAIN, Layout, Parsed
from multigraft.contracts.readers import row_bytes
from multigraft.data.sources.cells import open_text
from multigraft.errors import DataError, shown
from multigraft.system.yaml_text import YamlError, read_yaml
from multigraft_vision.annotations.boxes import corners
from multigraft_vision.annotations.rows import Marked, Pictures, below
from multigraft_vision.annotations.sizes import upright_size
from multigraft_vision.annotations.voc import SUFFIXES

NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")
IMAGES, LABELS = "images", "labels"
ABOVE = 3
"""Folders above the pictures in which the names of classes are looked for."""
LIMIT = 2**22
"""The most bytes of a file of objects; a line takes about 40."""
SHARE = 2.0
"""From here on a number is no share of a side that sticks out, but pixels."""


def read_yolo(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a folder of pictures, or a list of their files: ``image``, ``objects``, ``width``,
    ``height``.

    The objects of ``images/train/a.jpg`` stand in ``labels/train/a.txt``, or beside it in
    ``a.txt``: ``class x y width height``, x and y the centre, all in shares of the picture, or
    ``class x y x y x y ...``, a polygon. A picture without that file, or with an empty one, shows
    nothing. The names of classes come from ``data.yaml`` or ``classes.txt``, in the folder or
    above. Raises DataError where there are none, or no pictures.
    """
    folder = path if path.is_dir() else path.parent
    images = _held(path) if path.is_dir() else _listed(path, layout)
    names, source = _names(folder)
    found, without = Pictures(), 0
    for image in images:
        labels = _labels(below(folder, image))
        without += not labels.is_file()
        _add(found, image, folder, labels, names)
    notes = [f"the names of classes are those of {source.name}"]
    if without:
        notes.append(f"{without} of {len(images)} pictures have no file of objects: they show none")
    return found.parsed(notes=notes, encoding=layout.encoding, folder=folder, paths=images)


def _held(folder: Path) -> list[str]:
    files = sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES)
    if not files:
        raise DataError(f"{folder.name}: holds no picture ({', '.join(SUFFIXES)})")
    return [each.relative_to(folder).as_posix() for each in files]


def _listed(path: Path, layout: Layout) -> list[str]:
    """The pictures of a list, a line each."""
    if path.suffix.lower() in (".yaml", ".yml"):
        raise DataError(
            f"{path.name}: names the splits of a set; write the folder or list of pictures of one "
            "as data.train, as images/train, and the others as data.validation and data.test"
        )
    with open_text(path, layout.encoding) as lines:
        found = [line.strip().removeprefix("./") for line in lines if line.strip()]
    if not found or "\0" in "".join(found):
        raise DataError(f"{path.name}: names no pictures")
    return found


def _labels(image: Path) -> Path:
    """The file of objects of a picture."""
    parts = list(image.with_suffix(".txt").parts)
    beside = Path(*parts)
    if IMAGES not in parts[:-1]:
        return beside
    at = len(parts) - 1 - parts[::-1].index(IMAGES)
    parts[at] = LABELS
    there = Path(*parts)
    return beside if beside.is_file() and not there.is_file() else there


def _names(folder: Path) -> tuple[dict[int, str], Path]:
    """The names of classes by their number, and where they stand. Raises DataError."""
    places = [folder.absolute(), *list(folder.absolute().parents)[:ABOVE]]
    tried = [place / name for place in places for name in (*NAMES, f"{LABELS}/classes.txt")]
    file = next((each for each in tried if each.is_file()), None)
    if file is None:
        raise DataError(
            f"{folder.name}: the names of its classes are needed: {', '.join(NAMES)}, in it or in "
            f"up to {ABOVE} folders above"
        )
    found = _from_yaml(file) if file.suffix == ".yaml" else _from_text(file)
    if not found:
        raise DataError(f"{file.name}: holds no names of classes")
    return found, file


def _from_yaml(file: Path) -> dict[int, str]:
    try:
        whole = read_yaml(file)
    except YamlError as error:
        raise DataError(f"{file.name}: {error}") from error
    names = whole.get("names") if isinstance(whole, dict) else None
    listed = dict(enumerate(names)) if isinstance(names, list) else names
    if not isinstance(listed, dict):
        raise DataError(f"{file.name}: has no names: a list, or a mapping from number to name")
    for key, name in listed.items():
        if isinstance(key, bool) or not isinstance(key, int) or not str(name).strip():
            raise DataError(f"{file.name}: names: {shown(repr(key))}: {shown(repr(name))}")
    return {key: str(name).strip() for key, name in listed.items()}


def _from_text(file: Path) -> dict[int, str]:
    try:
        lines = row_bytes(file, limit=LIMIT).decode("utf-8-sig").splitlines()
    except (RowError, UnicodeDecodeError) as error:
        raise DataError(f"{file.name}: {error}") from error
    return {number: line.strip() for number, line in enumerate(lines) if line.strip()}


def _add(found: Pictures, image: str, folder: Path, labels: Path, names: dict[int, str]) -> None:
    size, row = upright_size(below(folder, image)), len(found.rows)
    if size is None:
        found.refuse(row, "the picture cannot be opened, and its objects are in shares of it")
    try:
        lines = (
            row_bytes(labels, limit=LIMIT).decode("utf-8-sig").splitlines()
            if labels.is_file()
            else []
        )
    except (RowError, UnicodeDecodeError) as error:
        found.refuse(row, f"{labels.name}: {error}")
        lines = []
    marks = [] if size is None else list(_marks(lines, size, names, labels.name))
    found.add(image, marks, size=size)


def _marks(
    lines: Sequence[str], size: tuple[int, int], names: dict[int, str], file: str
) -> Iterator[Marked]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            name = f"{file} line {number}"
            try:
                yield _marked(name, line.split(), size, names)
            except RowError as error:
                yield Marked(name, fault=str(error))


def _marked(
    name: str, cells: Sequence[str], size: tuple[int, int], names: dict[int, str]
) -> Marked:
    numbers = [_number(cell) for cell in cells]
    if len(cells) != 5 and (len(cells) < 7 or len(cells) % 2 == 0):
        raise RowError(f"has {len(cells)} cells; a class and a box of 4 or a polygon are needed")
    label = names.get(int(numbers[0])) if numbers[0].is_integer() else None
    if label is None:
        raise RowError(f"the class {cells[0][:20]} is none of the {len(names)} that have names")
    if strange := [each for each in numbers[1:] if not -SHARE < each < SHARE]:
        raise RowError(f"{strange[0]:g} is no share of a side; numbers from 0 to 1 are needed")
    shares = numbers[1:]
    across, down = (float(side) for side in size)
    more: dict[str, Any] = {"crowd": False}
    if len(shares) == 4:
        x, y, wide, tall = (
            each * side for each, side in zip(shares, (across, down) * 2, strict=True)
        )
        raw = [x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2]
    else:
        points = [each * (across, down)[place % 2] for place, each in enumerate(shares)]
        raw = [min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])]
        more["segmentation"] = [points]
    box, mended = corners(raw, sized=False)
    return Marked(name, label, box, more, frozenset(mended))


def _number(cell: str) -> float:
    try:
        found = float(cell)
    except ValueError:
        found = float("nan")
    if not math.isfinite(found):
        raise RowError(f"{cell[:20]!r} is no finite number")
    return found
