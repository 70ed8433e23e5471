"""The objective of object detection: what each point of the pyramid learns, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.frames import EXTENT, FRAME
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.types import Arrays
from multigraft_vision.detection.assignment import (
    Assignment,
    assign,
    centreness,
)
from multigraft_vision.detection.head import head_on
from multigraft_vision.detection.object_rows import CROWD, NOTHING, ObjectRows
from multigraft_vision.detection.overlap import generalised
from multigraft_vision.detection.points import points_of

ALPHA, GAMMA = 0.25, 2
"""Of the focal loss: how much a class that is there weighs, and how little what is told well."""
SMALLEST = 2.0
"""Pixels of the input: what a side has less of, as where a crop cut it off, is not learned."""
TOO_SMALL = (
    f"every object is less than {SMALLEST:g} pixels of the input wide or high, too small to be "
    "learned; raise reader.size (or crop), or see whether the boxes are in pixels"
)


class ObjectDetection(ObjectRows, Objective):
    """Focal loss of the classes, generalised overlap of the boxes and centre-ness, at points around
    the middles of objects (FCOS); the metrics are those of the answers."""

    brief: Brief

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)

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
        """Each row's loss over the points that learn an object, at least 1."""
        logits, middle = _logits(outputs)
        boxes = _some(batch["boxes"], 0.0)
        classes = _seen(boxes, _some(batch["classes"], NOTHING))
        places = self._places(batch)
        found = assign(places, boxes, classes)
        wanted = boxes.gather(1, found.objects.unsqueeze(-1).expand(-1, -1, 4))
        at_points = 1 - generalised(outputs["boxes"], wanted)
        at_points = at_points + F.binary_cross_entropy_with_logits(
            middle, centreness(places, wanted), reduction="none"
        )
        total = _class_loss(logits, classes, found) + (at_points * found.learned).sum(1)
        return RowLoss(total, found.learned.sum(1).clamp(min=1).float())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``boxes`` [B, P, 4] in the input's pixels, ``scores`` [B, P, classes], each class's
        probability times the centre-ness, and ``centreness`` [B, P]."""
        if outputs is None:
            raise ValueError("a detector is served with its head")
        central = outputs["middle"].sigmoid()
        scores = outputs["logits"].sigmoid() * central.unsqueeze(-1)
        return {"boxes": outputs["boxes"], "scores": scores, "centreness": central}

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


def _logits(outputs: Outputs) -> tuple[Tensor, Tensor]:
    """Of the classes [B, P, classes] and of the centre-ness [B, P]: of a head, or of what a graph
    serves."""
    if "logits" in outputs:
        return outputs["logits"], outputs["middle"]
    central = outputs["centreness"]
    shares = outputs["scores"] / central.unsqueeze(-1).clamp(min=1e-7)
    return torch.logit(shares, eps=1e-7), torch.logit(central, eps=1e-7)


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
    """Focal loss [B] over every point and class (Lin et al. 2017, equation 5)."""
    label = classes.gather(1, found.objects).clamp(min=0).unsqueeze(-1)
    wanted = torch.zeros_like(logits).scatter_(2, label, found.learned.unsqueeze(-1).float())
    entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    there = wanted > 0
    share = torch.where(there, ALPHA, 1 - ALPHA)
    missed = (logits.sigmoid() - wanted).abs()
    return ((share * missed**GAMMA * entropy).sum(2) * ~found.ignored).sum(1)
