"""Answers that are objects in a picture: boxes of original pixels, each of a class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.frames import PICTURE, inverse, move_points, plane
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.average_precision.matching import KEPT, Detected, Expected
from multigraft.runtime.answers.average_precision.precision import (
    curves,
    kept_of,
    metrics,
    ordered,
    sizes_there,
)
from multigraft.runtime.answers.boxes import areas
from multigraft.runtime.answers.tiled_boxes import Found, joined, together
from multigraft.runtime.flipping import views

CANDIDATES = 1000
"""The surest boxes of one window that are compared with each other."""
EDGE = 2.0
"""Pixels of the input within which a box touches the edge of its tile."""
PLACES, SIZES = "places", "sizes_there"
SET = "queries"
"""The boxes of a graph that gives each object once."""
OVERLAP, ANY = 0.6, 2.0
"""The most that two boxes of one class overlap unless asked; and more than any do."""


class Detection(Answers):
    """``{"objects": [{label, score, box: [left, top, right, bottom]}]}``, in pixels of the picture
    as it was given, upright, the surest first.

    The graph gives ``boxes`` [P, 4] in the input's pixels and ``scores`` [P, classes], and rows
    their ``frame``, ``extent`` and ``picture``, its own size. Of boxes of one class that overlap by
    more than ``iou`` the surest is told (non-maximum suppression), be they of a tile or of its
    mirror image. In the place of ``boxes`` it may give ``queries`` [P, 4], the boxes of a set in
    which each object stands once: unless asked to they are not suppressed. Windows are tiles of one
    picture (see `tiled_boxes`).
    """

    asks: Mapping[str, Option] = {
        "threshold": Option(default=0.02, low=0, high=1, help="leave out objects less sure"),
        "iou": Option(
            default=None,
            types=(float, int),
            low=0,
            high=1,
            help="the most that two boxes of one class may overlap; unset: 0.6, and where a "
            "detector tells each object once (a DETR), any",
        ),
        "top_k": Option(default=KEPT, low=1, high=1000, help="tell so many objects at most"),
    }
    joins = True
    windows = True
    flips = ("boxes", "scores")

    def __init__(self, targets: Spec) -> None:
        labels = targets.get("labels")
        self._labels: list[str] = labels if isinstance(labels, list) else []
        self._numbers = {label: number for number, label in enumerate(self._labels)}

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs and the labels do not belong together."""
        del raw
        parts = [
            together([self._found(each, asked["threshold"], tile) for each in view])
            for tile, view in enumerate(views(windows, asked))
        ]
        found = joined(parts, iou=_overlap(windows, asked["iou"]), most=asked["top_k"])
        return {
            "objects": [
                {"label": self._labels[label], "score": score, "box": box}
                for label, score, box in zip(
                    found.labels.tolist(),
                    found.scores.tolist(),
                    found.boxes.round(2).tolist(),
                    strict=True,
                )
            ]
        }

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """What average precision needs of one picture (see `average_precision.precision`)."""
        told = answer["objects"]
        found = Detected(
            _array([each["box"] for each in told]),
            np.array([self._numbers[each["label"]] for each in told], np.int64),
            np.array([each["score"] for each in told], np.float64),
        )
        return kept_of(found, self._expected(row["objects"]), len(self._labels))

    def together(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """The place of each detection among those of all pictures, and which sizes there are."""
        there = np.broadcast_to(sizes_there(kept), (len(kept["objects"]), kept["objects"].shape[2]))
        return {**kept, PLACES: ordered(kept), SIZES: there}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """COCO's average precision and recall (see `average_precision.precision.metrics`)."""
        return metrics(curves(kept, kept[PLACES]), kept[SIZES][0], self._labels)

    def _found(self, window: Window, threshold: float, tile: int) -> Found:
        outputs = window.outputs
        boxes, scores = outputs[SET if SET in outputs else "boxes"], outputs["scores"]
        if scores.shape[-1] != len(self._labels):
            raise BundleError(
                f"the graph tells {scores.shape[-1]} classes apart, and {len(self._labels)} have "
                "names"
            )
        if not np.isfinite(boxes).all() or not np.isfinite(scores).all():
            raise BundleError("the graph gives values that are no numbers; export the run again")
        position, label = _surest(scores, threshold)
        frame, extent = plane(window.row)
        limits = np.tile(extent.astype(np.float64), 2)
        inner = boxes[position].astype(np.float64).clip(0, limits)
        ends = move_points(inner.reshape(-1, 2, 2), inverse(frame))
        corners = np.concatenate([ends.min(1), ends.max(1)], axis=1)
        cut = (inner < EDGE) | (inner > limits - EDGE)
        if frame[0, 0] < 0:  # of a mirror image: its left edge is the picture's right one
            cut = cut[:, [2, 1, 0, 3]]
        if PICTURE in window.row:  # the input may show more than the picture, or a part of it
            whole = np.tile(window.row[PICTURE].astype(np.float64), 2)
            near = EDGE / np.abs(np.linalg.det(frame[:, :2])) ** 0.5
            cut &= (corners > near) & (corners < whole - near)
            corners = corners.clip(0, whole)
        real = (areas(corners) > 0).nonzero()[0]
        return Found(
            corners[real],
            label[real],
            scores[position, label][real].astype(np.float64),
            cut[real],
            np.full(len(real), tile),
        )

    def _expected(self, objects: Sequence[Mapping[str, Any]]) -> Expected:
        sized = _array([each["box"] for each in objects])
        crowd = np.array([bool(each.get("crowd")) for each in objects], bool)
        difficult = np.array([bool(each.get("difficult")) for each in objects], bool)
        area = [each.get("area", each["box"][2] * each["box"][3]) for each in objects]
        return Expected(
            np.concatenate([sized[:, :2], sized[:, :2] + sized[:, 2:]], axis=1),
            np.array([self._numbers[each["label"]] for each in objects], np.int64),
            np.array(area, np.float64),
            crowd,
            crowd | difficult,
        )


def _overlap(windows: Sequence[Window], asked: float | None) -> float:
    """The most that two boxes may overlap. An object of a set that is seen in two tiles stands
    twice."""
    if asked is not None:
        return asked
    once = len(windows) == 1 and SET in windows[0].outputs
    return ANY if once else OVERLAP


def _surest(scores: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """Position and class of the surest scores [P, classes] that reach the threshold."""
    flat = scores.ravel()
    there = np.flatnonzero(flat >= threshold)
    if len(there) > CANDIDATES:
        # of equal scores the first ones, whatever partition does
        edge = np.partition(flat[there], -CANDIDATES)[-CANDIDATES]
        sure, equal = there[flat[there] > edge], there[flat[there] == edge]
        there = np.sort(np.concatenate([sure, equal[: CANDIDATES - len(sure)]]))
    return np.divmod(there, scores.shape[-1])


def _array(boxes: Sequence[Sequence[float]]) -> np.ndarray:
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)
