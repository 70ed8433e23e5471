"""Answers that say of every pixel what it shows: semantic segmentation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.frames import PICTURE, plane
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.label_maps.areas import SHARED, WANTED, area_metrics, areas_of
from multigraft.runtime.answers.label_maps.classes import classes_of
from multigraft.runtime.answers.label_maps.enlarging import surest_classes
from multigraft.runtime.answers.label_maps.expected import expected_map
from multigraft.runtime.answers.label_maps.run_lengths import (
    from_text,
    lengths_of,
    mask_of,
    to_text,
)
from multigraft.runtime.flipping import views

AREAS = "areas"
STRIP = 2**20
"""The pixels that are looked at together: a distance takes four times a class, and a picture may
have a hundred million."""
Places = tuple[np.ndarray, np.ndarray]
"""Where the columns and the lines of a picture's own pixels lie in an input."""
CLASSES, LOGITS = "classes", "logits"


class Segmentation(Answers):
    """``{"size": [height, width], "segments": [{label, share, mask}]}``, of the picture as it was
    given, upright; the largest segment first.

    The graph gives ``classes`` [H, W], the class of each pixel of the input; rows have ``frame``,
    ``extent`` and ``picture``. ``mask`` is COCO's run lengths, ``{size, counts}``, which
    pycocotools decodes; together the segments cover the picture. With ``png`` also the classes'
    numbers as a PNG of one byte a pixel, in base64, and which class has which. Windows are tiles of
    one picture; where two lie over each other the one is believed whose middle is nearer. Of a tile
    and its mirror image the graph's ``logits`` [classes, h, w] are averaged before they are
    enlarged.
    """

    asks: Mapping[str, Option] = {
        "png": Option(default=False, help="give the classes as a PNG in base64 too")
    }
    joins = True
    windows = True
    flips = (CLASSES, LOGITS)

    def __init__(self, targets: Spec) -> None:
        self._classes = classes_of(targets)

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs are no classes of this task's."""
        del raw
        tiles = views(windows, asked)
        found = joined([self._told(tile) for tile in tiles], [tile[0] for tile in tiles])
        areas = _areas(found, len(self._classes.labels))
        order = [each for each in np.argsort(-areas, kind="stable").tolist() if areas[each]]
        size = list(found.shape)
        answer: dict[str, Any] = {
            "size": size,
            "segments": [
                {
                    "label": self._classes.labels[number],
                    "share": float(areas[number] / found.size),
                    "mask": {"size": size, "counts": to_text(lengths_of(found == number))},
                }
                for number in order
            ],
        }
        if asked["png"]:
            answer["png"] = as_png(found)
            answer["labels"] = list(self._classes.labels)
        return answer

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """int64 [3, classes]: the pixels of each class that are right, answered and wanted."""
        height, width = answer["size"]
        numbers = {label: number for number, label in enumerate(self._classes.labels)}
        found = np.zeros((height, width), dtype=np.uint8)
        for each in answer["segments"]:
            lengths = from_text(each["mask"]["counts"])
            found[mask_of(lengths, height, width)] = numbers[each["label"]]
        wanted = expected_map(row["mask"], self._classes, (width, height))
        return {AREAS: areas_of(found, wanted, len(numbers))}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Mean intersection over union, each class's, and the share of right pixels."""
        return area_metrics(kept[AREAS].sum(0), self._classes.labels)

    def right(self, kept: Mapping[str, np.ndarray]) -> np.ndarray:
        """The pictures of which every pixel is right."""
        areas = kept[AREAS].sum(2)
        found: np.ndarray = areas[:, SHARED] == areas[:, WANTED]
        return found

    def _told(self, tile: Sequence[Window]) -> np.ndarray:
        """The classes of a tile, or of it and its mirror image together."""
        found = self._checked(tile[0])
        if not tile[1:]:
            return found
        straight, mirrored = (each.outputs[LOGITS] for each in tile)
        if straight.ndim != 3 or len(straight) != len(self._classes.labels):
            raise BundleError(
                f"the graph gives logits {list(straight.shape)} for {len(self._classes.labels)} "
                "classes; export the run again"
            )
        return surest_classes((straight + mirrored[..., ::-1]) / 2, *found.shape)

    def _checked(self, window: Window) -> np.ndarray:
        """A window's classes, whatever the graph gives."""
        found = window.outputs[CLASSES]
        _, extent = plane(window.row)
        if found.shape != tuple(round(float(side)) for side in extent[::-1]):
            raise BundleError(
                f"the graph gives classes {list(found.shape)} for an input of "
                f"{extent[::-1].tolist()} pixels; export the run again"
            )
        if found.size and int(found.max()) >= len(self._classes.labels):
            raise BundleError("the graph gives classes without a name; export the run again")
        return found


def _areas(found: np.ndarray, classes: int) -> np.ndarray:
    """The pixels of each class; numpy counts in 64 bits each, so a strip at a time."""
    flat = found.ravel()
    parts = (flat[at : at + STRIP] for at in range(0, flat.size, STRIP))
    return np.sum([np.bincount(part, minlength=classes) for part in parts], axis=0)


def joined(found: Sequence[np.ndarray], windows: Sequence[Window]) -> np.ndarray:
    """Classes of all of a picture's own pixels, from those of its windows' inputs.

    A pixel outside of every window, as what a centre crop left out, takes those of the nearest
    edge.
    """
    places = [_places(window.row) for window in windows]
    (across, down), rows = places[0], max(1, STRIP // len(places[0][0]))
    whole = np.empty((len(down), len(across)), found[0].dtype)
    for top in range(0, len(down), rows):
        strip = slice(top, top + rows)
        if len(found) == 1:
            whole[strip] = _seen(found[0], across, down[strip])
        else:
            whole[strip] = _strip(found, [(x, y[strip]) for x, y in places])
    return whole


def _strip(found: Sequence[np.ndarray], places: Sequence[Places]) -> np.ndarray:
    """Some lines of a picture, each pixel by the window whose middle is the nearest."""
    size = len(places[0][1]), len(places[0][0])
    whole, nearest = np.zeros(size, found[0].dtype), np.full(size, np.inf, np.float32)
    for each, (x, y) in zip(found, places, strict=True):
        part = _within(y, each.shape[0]), _within(x, each.shape[1])
        _take(whole[part], nearest[part], each, x[part[1]], y[part[0]])
    if np.isinf(nearest).any():  # outside of every window
        for each, (x, y) in zip(found, places, strict=True):
            _take(whole, nearest, each, x, y)
    return whole


def _take(
    whole: np.ndarray, nearest: np.ndarray, each: np.ndarray, x: np.ndarray, y: np.ndarray
) -> None:
    """Put a window's classes where its middle is nearer than those before."""
    distance = _from_middle(x, y, each.shape)
    closer = distance < nearest
    np.copyto(whole, _seen(each, x, y), where=closer)
    np.copyto(nearest, distance, where=closer)


def _seen(each: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A window's classes at places in its input, beyond it those of its edge."""
    return each[_inside(y, each.shape[0])[:, None], _inside(x, each.shape[1])[None]]


def _within(places: np.ndarray, side: int) -> slice:
    """Which of ascending places lie in an input."""
    return slice(*np.searchsorted(places, (0, side), "left").tolist())


def _places(row: Mapping[str, np.ndarray]) -> Places:
    """Where the columns and lines of a picture's own pixels lie in the input."""
    frame = plane(row)[0].astype(np.float64)
    width, height = (round(float(side)) for side in row[PICTURE])
    across = frame[0, 0] * (np.arange(width) + 0.5) + frame[0, 2]
    return across, frame[1, 1] * (np.arange(height) + 0.5) + frame[1, 2]


def _inside(places: np.ndarray, side: int) -> np.ndarray:
    numbers: np.ndarray = np.floor(places).astype(np.int64).clip(0, side - 1)
    return numbers


def _from_middle(x: np.ndarray, y: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """How far a picture's pixels [H, W] lie from the middle of an input, 1 at its edge."""
    across, down = (
        np.abs(2 * each / side - 1).astype(np.float32)
        for each, side in ((x, size[1]), (y, size[0]))
    )
    distance: np.ndarray = np.maximum(across[None], down[:, None])
    return distance


def as_png(found: np.ndarray) -> str:
    """Classes uint8 [H, W] as a PNG of one byte a pixel, in base64."""
    from PIL import Image

    held = BytesIO()
    Image.fromarray(found.astype(np.uint8)).save(held, "PNG")
    return base64.b64encode(held.getvalue()).decode()
