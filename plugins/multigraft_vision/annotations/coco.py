"""COCO files: the pictures of a set, their annotations and categories, as one JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeGuard

from multigraft import RowError
from multigraft.contracts.formats import PLAIN, Layout, Parsed
from multigraft.data.sources.cells import broken, open_text
from multigraft.errors import DataError, shown
from multigraft_vision.annotations.boxes import corners, is_crowd
from multigraft_vision.annotations.rows import Marked, Pictures, below
from multigraft_vision.annotations.sizes import upright_size
from multigraft_vision.annotations.units import Units

USUAL = ("_annotations.coco.json", "annotations.json", "coco.json", "labels.json")
"""What the file is called in a folder of pictures."""
TRIED = 20
"""Pictures that are looked for to tell in which folder all of them lie."""
SHOWN = 3
"""Ids that a message shows."""
LISTS = ("images", "annotations", "categories")


def read_coco(path: Path, layout: Layout = PLAIN) -> Parsed:
    """Read a COCO file, or the folder that holds one: ``image``, ``objects``, ``id``, ``width``,
    ``height``.

    An object is ``{label, box: [left, top, width, height], area, crowd, id}``, with the
    ``segmentation`` as it stands in the file where there is one. Pictures are looked for beside the
    file, in ``images``, and where COCO has them (``../train2017`` of ``instances_train2017.json``).
    Raises DataError for a file of another form.
    """
    file = _file(path) if path.is_dir() else path
    whole = _loaded(file, layout)
    images, annotations, categories = (_list(whole, name, file.name) for name in LISTS)
    labels = _labels(categories, file.name)
    folder = _folder(file, images)
    source = _Source(folder, labels, _by_picture(annotations))
    for number, image in enumerate(images, 1):
        source.add(number, image)
    source.lose(file.name)
    source.units.check(file.name)
    if not source.found.rows:
        raise DataError(f"{file.name}: lists no pictures")
    notes = [] if folder == file.parent else [f"the pictures were found in {folder.name}"]
    notes += source.units.notes()
    return source.found.parsed(notes=notes, encoding=layout.encoding, folder=folder)


@dataclass
class _Source:
    """What one file says, picture by picture."""

    folder: Path
    labels: Mapping[Any, str]
    annotations: Mapping[Any, list[Any]]
    """By the id of their picture."""
    found: Pictures = field(default_factory=Pictures)
    seen: set[Any] = field(default_factory=set)
    units: Units = field(default_factory=Units)

    def add(self, number: int, image: Any) -> None:
        """Take a picture as a row. What is wrong with it makes the row bad."""
        entry = image if isinstance(image, dict) else {}
        key, name = entry.get("id"), entry.get("file_name")
        if not _is_key(key) or not _is_name(name):
            self.found.lost(f"picture {number} has no id and file_name: {shown(repr(image))}")
            return
        if key in self.seen:
            self.found.lost(f"{name}: the id {_told(key)} is another picture's already")
            return
        self.seen.add(key)
        size = upright_size(below(self.folder, name))
        if fault := _other_size(entry, size):
            self.found.refuse(len(self.found.rows), f"{name}: {fault}")
        marks = [_marked(each, self.labels) for each in self.annotations.get(key, ())]
        for mark in (each for each in marks if each.box):
            self.units.add(mark.box, size)
        self.found.add(name, marks, size=size, name=key)

    def lose(self, file: str) -> None:
        """Tell the annotations of pictures that the file does not list. Raises DataError where
        that are all of them."""
        if self.seen and self.annotations and not self.seen & self.annotations.keys():
            raise DataError(
                f"{file}: no annotation's image_id ({_some(self.annotations)}) is the id of a "
                f"picture ({_some(self.seen)}); write them alike: 1 and '1' are two ids"
            )
        for key in (each for each in self.annotations if each not in self.seen):
            for each in self.annotations[key]:
                told = f"is of the picture {_told(key)}, which {file} does not list"
                self.found.lost(f"{_name(each)} {told}")


def _file(folder: Path) -> Path:
    """The COCO file in a folder. Raises DataError where there is none, or not one alone."""
    usual = [folder / name for name in USUAL if (folder / name).is_file()]
    held = usual[:1] or sorted(folder.glob("*.json"))
    if len(held) == 1:
        return held[0]
    told = f"holds {len(held)} JSON files; name one" if held else "holds no JSON file"
    raise DataError(f"{folder.name}: {told} (as {USUAL[0]})")


def _loaded(file: Path, layout: Layout) -> Any:
    with open_text(file, layout.encoding) as text:
        try:
            return json.load(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{file.name}: is no JSON: {error}") from error


def _list(whole: Any, name: str, file: str) -> list[Any]:
    found = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(found, list):
        raise DataError(
            f"{file}: holds no list {name!r}; a COCO file is "
            '{"images": [...], "annotations": [...], "categories": [...]}'
        )
    return found


def _labels(categories: Sequence[Any], file: str) -> Mapping[Any, str]:
    """The name of each category, by its id. Raises DataError."""
    found: dict[Any, str] = {}
    for number, each in enumerate(categories, 1):
        entry = each if isinstance(each, dict) else {}
        key, name = entry.get("id"), entry.get("name")
        if not _is_key(key) or not isinstance(name, str) or not name.strip() or broken(name):
            raise DataError(f"{file}: category {number} has no id and name: {shown(repr(each))}")
        if found.setdefault(key, name.strip()) != name.strip():
            raise DataError(
                f"{file}: the category id {key} is {found[key]!r} and {name!r}; an id is one "
                "category's"
            )
    return found


def _folder(file: Path, images: Sequence[Any]) -> Path:
    """The first of the usual folders that holds the first pictures; the file's own where none
    does."""
    here = file.parent
    split = file.stem.rpartition("_")[2]
    usual = [here, here / "images", here / split, here.parent]
    usual += [here.parent / name for name in ("images", split, f"images/{split}")]
    names = [each.get("file_name") for each in images[:TRIED] if isinstance(each, dict)]
    plain = [name for name in names if isinstance(name, str) and "\0" not in name]
    held = [sum((folder / name).is_file() for name in plain) for folder in usual]
    return usual[held.index(max(held))]


def _by_picture(annotations: Sequence[Any]) -> dict[Any, list[Any]]:
    found: dict[Any, list[Any]] = {}
    for each in annotations:
        key = each.get("image_id") if isinstance(each, dict) else None
        found.setdefault(key if _is_key(key) else repr(key), []).append(each)
    return found


def _other_size(entry: Mapping[str, Any], size: tuple[int, int] | None) -> str:
    """What is wrong with the size that the file says, in whose pixels its boxes are."""
    said = entry.get("width"), entry.get("height")
    if size is None or None in said or said == size:
        return ""
    return (
        f"is said to have {_told(said[0])} x {_told(said[1])} pixels and has {size[0]} x {size[1]} "
        "(upright): its boxes would lie elsewhere"
    )


def _marked(annotation: Any, labels: Mapping[Any, str]) -> Marked:
    name = _name(annotation)
    try:
        box, mended = corners(annotation.get("bbox"), sized=True)
        more = dict(_more(annotation, box))
    except RowError as error:
        return Marked(name, fault=str(error))
    category = annotation.get("category_id")
    if not _is_key(category) or category not in labels:
        known = ", ".join(map(_told, list(labels)[:5]))
        return Marked(name, fault=f"the category {_told(category)} is none of {known}, ...")
    return Marked(name, labels[category], box, more, frozenset(mended))


def _more(annotation: Mapping[str, Any], box: Sequence[float]) -> Iterator[tuple[str, Any]]:
    area = annotation.get("area")
    told = isinstance(area, int | float) and not isinstance(area, bool) and 0 <= area < 2**53
    yield "area", area if told else (box[2] - box[0]) * (box[3] - box[1])
    yield "crowd", is_crowd(annotation.get("iscrowd"))
    if _is_key(annotation.get("id")):
        yield "id", annotation["id"]
    if annotation.get("segmentation"):
        yield "segmentation", annotation["segmentation"]


def _some(keys: Iterable[Any]) -> str:
    """The first of some ids."""
    told = [_told(key) for key in islice(keys, SHOWN + 1)]
    return ", ".join([*told[:SHOWN], *["..."] * (len(told) > SHOWN)])


def _name(annotation: Any) -> str:
    return f"annotation {_told(annotation.get('id') if isinstance(annotation, dict) else None)}"


def _is_key(value: Any) -> bool:
    """Whether it may be an id: a whole number, or a text."""
    if isinstance(value, float):
        return math.isfinite(value) and value.is_integer()
    return isinstance(value, int | str) and not isinstance(value, bool)


def _is_name(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value) and "\0" not in value and broken(value) is None


def _told(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
