"""Rows of a segmentation table: where their masks stand, and what their classes are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft.contracts.types import Spec
from multigraft.errors import DataError, RecipeError
from multigraft.runtime.answers.label_maps.classes import MOST, Classes
from multigraft.runtime.answers.label_maps.expected import expected_map, grey, label_of, opened
from multigraft.runtime.answers.label_maps.polygons import is_sliver, points_of

MASK, OBJECTS = "mask", "objects"
SLIVER = "an object too thin to hold the middle of a pixel was left out"
LARGEST = 8192
"""Pixels a side of a picture, as the reader takes them."""
COLOR = re.compile(r"#[0-9a-fA-F]{6}")


def mask_rows(
    row: Mapping[str, Any], tell: Callable[[str], None] | None = None
) -> Mapping[str, Any]:
    """The row with its objects as its mask, where it has no other; ``tell`` hears of each that is
    too thin for a pixel and left out."""
    given = row.get(OBJECTS) if row.get(MASK) is None else row[MASK]
    if not isinstance(given, list | tuple):
        return row if given is None else {**row, MASK: given}
    kept = [each for each in given if not _sliver(each)]
    if tell is not None:
        for _ in range(len(given) - len(kept)):
            tell(SLIVER)
    return {**row, MASK: kept}


def _sliver(each: Any) -> bool:
    """Whether an object is polygons without a pixel, and not in shares of the sides; what else is
    wrong with one is told when the rows are read."""
    polygons = each.get("segmentation") if isinstance(each, Mapping) else None
    if not isinstance(polygons, list | tuple) or not polygons:
        return False
    try:
        return is_sliver(polygons) and bool(max(points_of(one).max() for one in polygons) > 1)
    except ValueError:
        return False


def class_spec(columns: Mapping[str, Sequence[Any]], options: Mapping[str, Any]) -> Spec:
    """The classes, and how many training pixels each has. Raises DataError and RecipeError."""
    cells = [cell for cell in columns[MASK] if cell is not None]
    if not cells:
        raise DataError("column 'mask' is empty in every training row")
    objects = [isinstance(cell, list | tuple) for cell in cells]
    if any(objects) and not all(objects):
        raise DataError("column 'mask' names files in some rows and lists objects in others")
    classes = _of_objects(cells, options) if objects[0] else _of_files(cells, options)
    if len(classes.labels) > MOST:
        raise DataError(
            f"the masks have {len(classes.labels)} classes; at most {MOST} can be told apart"
        )
    counts = _counts(cells, classes) if options["class_weights"] == "balanced" else []
    return {**classes.spec(), "counts": counts}


def _of_objects(cells: Sequence[Any], options: Mapping[str, Any]) -> Classes:
    ground = options["background"] or None
    found = {label for cell in cells for label in _labels(cell)} - {ground}
    told = options["classes"] or sorted(found)
    names = [str(each) for each in told if each != ground]
    labels = [ground, *names] if ground else names
    if not found:
        raise DataError("no training row has an object with a label")
    return Classes(tuple(labels), (), colors=False, ignored=None, background=ground)


def _labels(objects: Sequence[Any]) -> set[str]:
    found = set()
    for number, each in enumerate(objects, 1):
        try:
            found.add(label_of(each, number))
        except RowError:
            continue  # told with its row, when the rows are read
    return found


def _of_files(cells: Sequence[Any], options: Mapping[str, Any]) -> Classes:
    names, colors = options["classes"], options["colors"]
    ignored = _color_or_value(options["ignore"], colors is not None)
    if colors is not None:
        values = [_color(each) for each in colors]
        labels = [str(name) for name in names or colors]
        if len(labels) != len(values) or len(set(values)) != len(values):
            raise RecipeError(
                [f"task.colors: {len(values)} colours for {len(labels)} classes; give each its own"]
            )
        return Classes(tuple(labels), tuple(values), True, ignored, None)
    values = list(range(len(names))) if names else _values(cells, ignored)
    labels = [str(name) for name in names or values]
    if len(set(labels)) != len(labels):
        raise RecipeError([f"task.classes: two of {', '.join(labels)} have one name"])
    return Classes(tuple(labels), tuple(values), False, ignored, None)


def _values(cells: Sequence[Any], ignored: int | None) -> list[int]:
    """The values in all masks. Raises DataError where they hold colours, or too few values."""
    found: set[int] = set()
    bad: list[str] = []
    for cell in cells:
        try:
            pixels = opened(cell)
        except RowError as error:  # told with its row too, when the rows are read
            bad.append(_told(cell, error))
            continue
        if pixels.ndim == 3:
            raise DataError(
                f"the masks are in colours{grey(pixels)}: say which class has which with the "
                "task's options classes and colors"
            )
        found.update(np.unique(pixels).tolist())
    if len(values := sorted(found - {ignored})) < 2:
        raise DataError(_too_few(len(values), len(cells), bad))
    return values


def _told(cell: Any, error: RowError) -> str:
    return f"{PurePath(cell).name}: {error}" if isinstance(cell, str) else str(error)


def _too_few(values: int, masks: int, bad: Sequence[str]) -> str:
    """Why there is nothing to tell apart."""
    if len(bad) == masks:
        return f"none of the training rows' {masks} masks can be used; the first: {bad[0]}"
    more = f" ({len(bad)} of {masks} masks cannot be used; the first: {bad[0]})" if bad else ""
    return f"the training rows' masks hold {values} different classes; at least 2 are needed{more}"


def _counts(cells: Sequence[Any], classes: Classes) -> list[int]:
    """How many pixels each class has in the masks that can be read."""
    counts = np.zeros(256, dtype=np.int64)
    for cell in cells:
        try:
            found = expected_map(cell, classes, _size(cell))
        except (RowError, ValueError):
            continue  # told with its row, when the rows are read
        counts += np.bincount(found.ravel(), minlength=256)
    return counts[: len(classes.labels)].tolist()


def _size(cell: Any) -> tuple[int, int]:
    """Width and height of a mask, as it says itself; of polygons as far as they reach. Raises
    ValueError where nothing tells."""
    if not isinstance(cell, list | tuple):
        height, width = opened(cell).shape[:2]
        return width, height
    found = [each.get("segmentation") for each in cell if isinstance(each, Mapping)]
    for each in found:
        size = each.get("size") if isinstance(each, Mapping) else None
        if isinstance(size, list) and len(size) == 2 and all(_is_side(side) for side in size):
            return size[1], size[0]
    polygons = [polygon for each in found if isinstance(each, list) for polygon in each]
    reach = np.ceil(np.max([points_of(each).max(0) for each in polygons], axis=0))
    width, height = reach.astype(int).clip(1, LARGEST).tolist()
    return width, height


def _is_side(side: Any) -> bool:
    return type(side) is int and 0 < side <= LARGEST


def _color_or_value(ignored: int | str, colors: bool) -> int | None:
    if isinstance(ignored, str):
        return _color(ignored)
    return None if colors else ignored


def _color(text: Any) -> int:
    """0xRRGGBB of a colour. Raises RecipeError."""
    if not isinstance(text, str) or not COLOR.fullmatch(text):
        raise RecipeError([f"task.colors: found {text!r}; a colour is written as '#ff0000'"])
    return int(text[1:], 16)
