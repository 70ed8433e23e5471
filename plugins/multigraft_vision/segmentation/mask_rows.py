"""Rows of pictures with the class of every pixel, without torch; the metrics are those of the
answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multigraft import Fill, RowBrief, RowError, RowObjective
from multigraft.contracts.frames import PICTURE
from multigraft.contracts.report import Baseline
from multigraft.contracts.row_objectives import Row
from multigraft.contracts.types import Arrays
from multigraft.runtime.answers.label_maps.areas import ANSWERED, SHARED, WANTED
from multigraft.runtime.answers.label_maps.classes import IGNORE, classes_of
from multigraft.runtime.answers.label_maps.expected import expected_map

MASK = "mask"


class MaskRows(RowObjective):
    """Rows of pictures with masks of classes that the training rows had."""

    monitor = "miou"
    greater_is_better = True
    fills: Mapping[str, float | Fill] = {MASK: IGNORE}
    moves: Mapping[str, str] = {MASK: "mask"}

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.classes = classes_of(brief.targets)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``mask`` uint8 [H, W] of the whole picture. Raises RowError for one that cannot be
        used."""
        width, height = (round(float(side)) for side in arrays[PICTURE])
        try:
            return {MASK: expected_map(row.get(MASK), self.classes, (width, height))}
        except RowError as error:
            error.column = error.column or MASK
            raise

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline | None:
        """What it scores to answer the most frequent class everywhere."""
        if "areas" not in kept:
            return None
        areas = kept["areas"].sum(0)
        most, there = int(areas[WANTED].argmax()), int((areas[WANTED] > 0).sum())
        pixels = max(1, int(areas[WANTED].sum()))
        score = float(areas[WANTED][most] / pixels) / max(1, there)
        return Baseline("miou", score, f"always answering {self.classes.labels[most]!r}")

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """A table of the classes: how much of each there is, and how much is found."""
        if "areas" not in kept:
            return {}
        areas = kept["areas"].sum(0).astype(np.float64)
        lines = [
            (label, f"{share:.4f}", f"{found:.4f}", f"{right:.4f}", f"{iou:.4f}")
            for label, share, found, right, iou in zip(
                self.classes.labels,
                areas[WANTED] / max(1.0, areas[WANTED].sum()),
                _ratio(areas[SHARED], areas[WANTED]),
                _ratio(areas[SHARED], areas[ANSWERED]),
                _ratio(areas[SHARED], areas[WANTED] + areas[ANSWERED] - areas[SHARED]),
                strict=True,
            )
        ]
        heading = ("class", "share of pixels", "recall", "precision", "iou")
        return {"tables": {"classes on these rows": (heading, *lines)}}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
