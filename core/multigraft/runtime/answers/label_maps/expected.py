"""Expected label maps: what the cell of a row says of each pixel, as a file or as objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from multigraft.contracts.orientation import orientation, upright
from multigraft.contracts.readers import row_bytes
from multigraft.errors import MultigraftError, RowError, shown
from multigraft.runtime.answers.label_maps.classes import IGNORE, Classes
from multigraft.runtime.answers.label_maps.polygons import filled, points_of
from multigraft.runtime.answers.label_maps.run_lengths import from_text, mask_of

BYTES = 2**28
PIXELS = 2**27
"""The most of a mask's file, and of the mask."""
FORMATS = ("PNG", "BMP", "GIF", "TIFF")
"""Those that keep every value as it was."""
CELL = "the name of a PNG, its bytes, or a list of objects"


def expected_map(cell: Any, classes: Classes, size: tuple[int, int]) -> np.ndarray:
    """Classes, uint8 [H, W], of a picture of that width and height; `IGNORE` where there is none.

    Raises RowError for a mask that is missing, broken, of another size, or has a value without a
    class.
    """
    width, height = size
    if isinstance(cell, list | tuple):
        return painted(cell, classes, height, width)
    pixels = opened(cell)
    if pixels.shape[:2] != (height, width):
        raise RowError(
            f"the mask has {pixels.shape[1]} x {pixels.shape[0]} pixels, and its picture (upright) "
            f"{width} x {height}"
        )
    return _by_colors(pixels, classes) if classes.colors else _by_values(pixels, classes)


def opened(cell: Any) -> np.ndarray:
    """The values of a mask's file: [H, W], or [H, W, 3] where it has colours, upright by EXIF as
    its picture is.

    A palette's numbers are the values. Raises RowError.
    """
    if cell is None:
        raise RowError("the mask is missing")
    if not isinstance(cell, str | bytes):
        raise RowError(f"the mask is {type(cell).__name__}; it is {CELL}")
    from PIL import Image

    content = cell if isinstance(cell, bytes) else row_bytes(cell, limit=BYTES)
    try:
        with Image.open(BytesIO(content)) as picture:
            if picture.format not in FORMATS:
                raise RowError(
                    f"the mask is {picture.format}, which changes values; save it as PNG"
                )
            if picture.width * picture.height > PIXELS:
                raise RowError(f"the mask has {picture.width} x {picture.height} pixels; too many")
            values = np.asarray(_exact(picture))
            return upright(values, orientation(picture))
    except MultigraftError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever broken data makes them
        raise RowError("the mask is a broken image file, or none") from error


def _exact(picture: Any) -> Any:
    """The picture in a mode whose numbers are those of the file."""
    if picture.mode in ("L", "P", "RGB", "I;16", "I"):
        return picture
    if picture.mode == "1":
        return picture.convert("L").point(lambda level: level // 255)
    return picture.convert("L" if picture.mode == "LA" else "RGB")


def _by_values(pixels: np.ndarray, classes: Classes) -> np.ndarray:
    if pixels.ndim == 3:
        raise RowError(
            f"the mask has colours{grey(pixels)}; say which is whose with the task's option "
            "colors, or save the classes' numbers"
        )
    table = classes.table
    found = table[np.minimum(pixels.astype(np.int64), len(table) - 1)]
    if (strange := found < 0).any():
        raise RowError(f"the mask holds the value {_where(pixels, strange)}, which no class has")
    return found.astype(np.uint8)


def grey(pixels: np.ndarray) -> str:
    """What to add to a message about colours [H, W, 3] that are none: numbers saved as RGB."""
    if (pixels != pixels[..., :1]).any() or not pixels.any():  # black is a colour too
        return ""
    return ", but the three channels are equal (save one of them alone, in Pillow mode L)"


def _by_colors(pixels: np.ndarray, classes: Classes) -> np.ndarray:
    if pixels.ndim == 2:
        raise RowError("the mask has no colours, and the classes are told by colours")
    whole = pixels.astype(np.int32)
    colors = (whole[..., 0] << 16) | (whole[..., 1] << 8) | whole[..., 2]
    known = np.array([*classes.values, *([] if classes.ignored is None else [classes.ignored])])
    order = np.argsort(known)
    place = np.searchsorted(known[order], colors).clip(max=len(known) - 1)
    if (strange := known[order][place] != colors).any():
        value, at = _where(colors, strange).split(" ", 1)
        raise RowError(f"the mask holds the colour #{int(value):06x} {at}, which no class has")
    numbers = np.array([*range(len(classes.values)), IGNORE], dtype=np.uint8)
    found: np.ndarray = numbers[order[place]]
    return found


def _where(values: np.ndarray, strange: np.ndarray) -> str:
    row, column = (int(each[0]) for each in np.nonzero(strange))
    return f"{values[row, column]} at {column}, {row}"


def painted(objects: Sequence[Any], classes: Classes, height: int, width: int) -> np.ndarray:
    """Objects with their masks, the larger ones below the smaller ones. Raises RowError."""
    numbers = {label: number for number, label in enumerate(classes.labels)}
    ground = IGNORE if classes.background is None else numbers[classes.background]
    layers = []
    for number, each in enumerate(objects, 1):
        label = label_of(each, number)
        if label not in numbers:
            raise RowError(f"object {number} is {label!r}, which no class is called")
        try:
            mask = object_mask(each.get("segmentation"), height, width)
        except ValueError as error:
            raise RowError(f"object {number} ({label}): {error}") from error
        if not (area := int(mask.sum())):
            told = (
                f"object {number} ({label}): it has no pixel in its picture of {width} x {height}"
            )
            raise RowError(told + _shares(each["segmentation"]))
        layers.append((numbers[label], mask, area))
    found = np.full((height, width), ground, dtype=np.uint8)
    for label_number, mask, _ in sorted(layers, key=lambda layer: -layer[2]):
        found[mask] = label_number
    return found


def _shares(segmentation: Any) -> str:
    """The end of a message about an object without pixels, which may be one in other units."""
    if isinstance(segmentation, Mapping):
        return ""
    corners = np.concatenate([points_of(polygon) for polygon in segmentation])
    if corners.min() < 0 or corners.max() > 1:
        return ""
    return "; its corners look like shares of the sides, and pixels are needed"


def label_of(each: Any, number: int) -> str:
    """What an object is. Raises RowError."""
    label = each.get("label") if isinstance(each, Mapping) else None
    if not isinstance(label, str):
        raise RowError(f"object {number} has no label; an object is {{label, box, segmentation}}")
    return label


def object_mask(segmentation: Any, height: int, width: int) -> np.ndarray:
    """An object's pixels, bool [H, W]: polygons, or run lengths, compressed or not. Raises
    ValueError."""
    if isinstance(segmentation, Mapping):
        counts, size = segmentation.get("counts"), segmentation.get("size")
        if size not in ([height, width], (height, width)):
            raise ValueError(
                f"its mask is of the size {shown(repr(size))}, and the picture {[height, width]}"
            )
        if isinstance(counts, str | bytes):
            text = counts if isinstance(counts, str) else counts.decode("latin-1")
            return mask_of(from_text(text), height, width)
        return mask_of(counts if isinstance(counts, list) else [-1], height, width)
    if not isinstance(segmentation, list | tuple) or not segmentation:
        raise ValueError("it has no segmentation: polygons, or run lengths")
    found = np.zeros((height, width), dtype=bool)
    for polygon in segmentation:
        found |= filled(polygon, height, width)
    return found
