"""Rows of pictures with objects, without torch; the metrics are those of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multigraft import Fill, RowBrief, RowError, RowObjective
from multigraft.contracts.row_objectives import Row
from multigraft.contracts.types import Arrays

NOTHING, CROWD = -1, -2
"""Labels of what pads, and of an object that is neither learned nor unlearned."""
OBJECTS = {0: "objects"}


class ObjectRows(RowObjective):
    """Rows of pictures with boxes of labels that the training rows had."""

    monitor = "ap"
    greater_is_better = True
    fills: Mapping[str, float | Fill] = {
        "boxes": Fill(0.0, OBJECTS),
        "classes": Fill(NOTHING, OBJECTS),
    }
    moves: Mapping[str, str] = {"boxes": "boxes", "classes": "with:boxes"}

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        labels = brief.targets["labels"]
        self.numbers = {label: number for number, label in enumerate(labels)}

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``boxes`` float32 [N, 4] by their corners, and ``classes`` int64 [N], of a crowd -2."""
        del arrays
        objects = row["objects"]
        sized = np.array([each["box"] for each in objects], np.float64).reshape(-1, 4)
        boxes = np.concatenate([sized[:, :2], sized[:, :2] + sized[:, 2:]], axis=1)
        classes = np.array([self._class(each) for each in objects], np.int64)
        return {"boxes": boxes.astype(np.float32), "classes": classes}

    def _class(self, each: Mapping[str, Any]) -> int:
        if each.get("crowd"):
            return CROWD
        if each["label"] not in self.numbers:
            raise RowError(
                f"has the label {each['label']!r}, which no training row has", column="objects"
            )
        return self.numbers[each["label"]]
