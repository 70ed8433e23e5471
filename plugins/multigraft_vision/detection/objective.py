"""The objective of object detection: what each point of the pyramid learns, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, Fill, Objective, RowError, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.frames import EXTENT, FRAME
from multigraft.contracts.objectives import Outputs, Row
from multigraft.contracts.types import Arrays
from multigraft_vision.detection.assignment import CROWD, NOTHING, Assignment, assign
from multigraft_vision.detection.head import head_on
from multigraft_vision.detection.overlap import generalised
from multigraft_vision.detection.points import points_of

OBJECTS = {0: "objects"}
BOXES_WEIGH = 2.0
"""The box loss against the class loss, as in TOOD."""
SMALLEST = 2.0
"""Pixels of the input: what a side has less of, as where a crop cut it off, is not learned."""
TOO_SMALL = (
    f"every object is less than {SMALLEST:g} pixels of the input wide or high, too small to be "
    "learned; raise reader.size (or crop), or see whether the boxes are in pixels"
)


class ObjectDetection(Objective):
    """Quality focal loss of the classes and generalised overlap of the boxes, at points that are
    assigned by how well they tell an object; the metrics are those of the answers."""

    monitor = "ap"
    greater_is_better = True
    fills: Mapping[str, float | Fill] = {
        "boxes": Fill(0.0, OBJECTS),
        "classes": Fill(NOTHING, OBJECTS),
    }
    moves: Mapping[str, str] = {"boxes": "boxes", "classes": "with:boxes"}

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        labels = brief.targets["labels"]
        self.numbers = {label: number for number, label in enumerate(labels)}

    def head(self) -> nn.Module:
        """A neck and towers on the backbone's levels."""
        options = self.brief.options
        return head_on(
            self.brief.backbone,
            classes=len(self.numbers),
            width=options["width"],
            depth=options["depth"],
            finest=options["finest"],
        )

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``boxes`` float32 [N, 4] by their corners, and ``classes`` int64 [N], of a crowd -2."""
        del arrays
        objects = row["objects"]
        sized = np.array([each["box"] for each in objects], np.float64).reshape(-1, 4)
        boxes = np.concatenate([sized[:, :2], sized[:, :2] + sized[:, 2:]], axis=1)
        classes = np.array([self._class(each) for each in objects], np.int64)
        return {"boxes": boxes.astype(np.float32), "classes": classes}

    def doubts(self, rows: Iterable[Arrays]) -> Sequence[str]:
        """Whether all objects are too small to be seen in the input."""
        told = False
        for row in rows:
            sizes = _sizes(row)
            if (sizes >= SMALLEST).all(1).any():
                return ()
            told = told or len(sizes) > 0
        return [TOO_SMALL] if told else []

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Each row's loss over what its points should score in sum, at least 1."""
        logits = _logits(outputs)
        boxes = _some(batch["boxes"], 0.0)
        classes = _seen(boxes, _some(batch["classes"], NOTHING))
        places = self._places(batch)
        found = assign(places, outputs["boxes"], logits.sigmoid(), boxes, classes)
        total = _class_loss(logits, classes, found)
        total = total + BOXES_WEIGH * _box_loss(outputs["boxes"], boxes, found)
        return RowLoss(total, found.quality.sum(1).clamp(min=1.0).detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``boxes`` [B, P, 4] in the input's pixels, and ``scores`` [B, P, classes]."""
        if outputs is None:
            raise ValueError("a detector is served with its head")
        return {"boxes": outputs["boxes"], "scores": outputs["logits"].sigmoid()}

    def _class(self, each: Mapping[str, Any]) -> int:
        if each.get("crowd"):
            return CROWD
        if each["label"] not in self.numbers:
            raise RowError(
                f"has the label {each['label']!r}, which no training row has", column="objects"
            )
        return self.numbers[each["label"]]

    def _places(self, batch: Batch) -> Tensor:
        width, height = batch[EXTENT].amax(0).tolist()
        backbone: Any = self.brief.backbone
        finest = self.brief.options["finest"]
        strides = [each.stride for each in backbone.levels]
        used = [stride for stride in strides if stride >= finest] or strides[-1:]
        return points_of(round(height), round(width), used).to(batch[EXTENT].device)


def _sizes(row: Arrays) -> np.ndarray:
    """Width and height [N, 2] in the input's pixels of the objects that are no crowds."""
    boxes = row["boxes"][row["classes"] >= 0]
    return np.abs((boxes[:, 2:] - boxes[:, :2]) @ row[FRAME][:, :2].T)


def _logits(outputs: Outputs) -> Tensor:
    """Of a head, or of what a graph serves."""
    if "logits" in outputs:
        return outputs["logits"]
    return torch.logit(outputs["scores"], eps=1e-7)


def _some(targets: Tensor, fill: float) -> Tensor:
    """Targets [B, N, ...] with at least one, which pads, where no row of the batch has any."""
    if targets.shape[1]:
        return targets
    return targets.new_full((len(targets), 1, *targets.shape[2:]), fill)


def _seen(boxes: Tensor, classes: Tensor) -> Tensor:
    """The classes, those of boxes that are too small to be seen as of a crowd."""
    small = ((boxes[..., 2:] - boxes[..., :2]) < SMALLEST).any(-1)
    return classes.masked_fill(small & (classes >= 0), CROWD)


def _class_loss(logits: Tensor, classes: Tensor, found: Assignment) -> Tensor:
    """Quality focal loss [B]: |y - p|^2 cross-entropy(p, y) at every point and class (Li et al.
    2020, generalized focal loss, equation 4)."""
    label = classes.gather(1, found.objects).clamp(min=0).unsqueeze(-1)
    wanted = torch.zeros_like(logits).scatter_(2, label, found.quality.unsqueeze(-1))
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    each = entropy * (logits.sigmoid() - wanted).square()
    return (each.sum(2) * ~found.ignored).sum(1)


def _box_loss(boxes: Tensor, objects: Tensor, found: Assignment) -> Tensor:
    """1 - generalised overlap at the points of objects, weighed by what they should score, [B]."""
    wanted = objects.gather(1, found.objects.unsqueeze(-1).expand(-1, -1, 4))
    return (found.quality * (1 - generalised(boxes, wanted))).sum(1)
