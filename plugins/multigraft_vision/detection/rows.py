"""Rows of pictures with objects: what a cell of ``objects`` may hold, and what is learned of
all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from multigraft import RowError
from multigraft.contracts.types import Spec
from multigraft.errors import DataError, shown
from multigraft.models.tasks.shared import label_fault, label_name, natural
from multigraft_vision.annotations.boxes import corners, is_crowd

NAMES = {"label": ("label", "category", "class"), "box": ("box", "bbox")}
"""What a field of an object may be called."""
CROWDS = ("crowd", "iscrowd")
KNOWN = {*NAMES["label"], *NAMES["box"], *CROWDS, "area"}


def object_rows(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose ``objects`` are a list of ``{label, box: [left, top, width, height], ...}`` in
    pixels. Raises RowError for what is none."""
    if "objects" not in row:
        raise RowError(
            f"the column objects is needed, empty where there are none; it holds {', '.join(row)}: "
            "data.columns maps names, as {objects: annotations}; data.format: coco, voc or yolo "
            "reads files of annotations"
        )
    if row["objects"] is None:  # a row that is only to be answered
        return dict(row)
    listed = _listed(row["objects"])
    return {**row, "objects": [_object(number, each) for number, each in enumerate(listed, 1)]}


def object_labels(cell: Any, options: Mapping[str, Any]) -> Sequence[str]:
    """The labels of the objects in a cell, each once; raises RowError."""
    del options
    return list(dict.fromkeys(each["label"] for each in cell or ()))


def object_spec(columns: Mapping[str, Sequence[Any]]) -> Spec:
    """The sorted labels, and in how many pictures each occurs.

    >>> object_spec({"objects": [["b", "a"], [], ["b"]]})
    {'labels': ['a', 'b'], 'counts': [1, 2]}
    """
    counts = Counter(label for cell in columns["objects"] for label in cell or ())
    if not counts:
        raise DataError("no training row has an object; there is nothing to learn")
    labels = sorted(counts, key=natural)
    return {"labels": labels, "counts": [counts[label] for label in labels]}


def object_samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """Up to three boxes on each of made-up pictures."""
    return {"objects": [_sampled(rng, raw) for raw in raws]}


def _sampled(rng: np.random.Generator, raw: Any) -> list[dict[str, Any]]:
    with Image.open(raw) as picture:
        size = picture.size
    found = []
    for label in rng.choice(["first", "second"], int(rng.integers(0, 4))).tolist():
        sides = [int(rng.integers(6, side // 2)) for side in size]
        corner = [
            int(rng.integers(0, whole - side)) for whole, side in zip(size, sides, strict=True)
        ]
        found.append({"label": label, "box": [*corner, *sides]})
    return found


def _listed(cell: Any) -> list[Any]:
    """Objects as a list, or an object of lists (as in sets of the hub), or either as JSON."""
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError) as error:
            raise _wrong(f"is no JSON: {error}") from error
    if isinstance(cell, dict):
        cell = _turned(cell)
    if isinstance(cell, np.ndarray):
        cell = cell.tolist()
    if not isinstance(cell, list | tuple):
        raise _wrong(f"is {type(cell).__name__}, no list of objects")
    return list(cell)


def _turned(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    lists = {name: list(each) for name, each in cell.items() if isinstance(each, list | tuple)}
    if len({len(each) for each in lists.values()}) != 1:
        raise _wrong("holds no lists of one length: a label and a box for each object are needed")
    return [dict(zip(lists, each, strict=True)) for each in zip(*lists.values(), strict=True)]


def _object(number: int, each: Any) -> dict[str, Any]:
    if not isinstance(each, Mapping):
        raise _wrong(f"object {number} is {shown(repr(each))}; a label and a box are needed")
    label, raw = (_field(each, names) for names in NAMES.values())
    if fault := label_fault(label):
        raise _wrong(f"object {number}: {fault}")
    try:
        box, mended = corners(raw.tolist() if isinstance(raw, np.ndarray) else raw, sized=True)
    except RowError as error:
        raise _wrong(f"object {number}: {error}") from error
    wide, tall = box[2] - box[0], box[3] - box[1]
    if mended or not wide > 0 or not tall > 0:
        raise _wrong(f"object {number}: the box {shown(repr(raw))} has no width and height")
    found = {name: value for name, value in each.items() if name not in KNOWN}
    found |= {"label": label_name(label), "box": [box[0], box[1], wide, tall]}
    if each.get("area") is not None:
        found["area"] = _area(number, each["area"])
    if _crowd(number, each):
        found["crowd"] = True
    return found


def _crowd(number: int, each: Mapping[str, Any]) -> bool:
    try:
        return is_crowd(_field(each, CROWDS))
    except RowError as error:
        raise _wrong(f"object {number}: {error}") from error


def _area(number: int, area: Any) -> float:
    plain = isinstance(area, int | float) and not isinstance(area, bool)
    if not plain or not 0 <= area < 2**53:
        raise _wrong(f"object {number}: the area is {shown(repr(area))}; a number is needed")
    return float(area)


def _field(each: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((each[name] for name in names if each.get(name) is not None), None)


def _wrong(what: str) -> RowError:
    return RowError(what, column="objects")
