"""The objective of detectors that bring their own head: a set of queries, of which each object is
told by one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from multigraft import Features, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft_vision.detection.objective import ObjectDetection
from multigraft_vision.detr.losses import to_centres, to_corners


class SetDetection(ObjectDetection):
    """The loss that transformers trains a detector's type with; what is served and scored is what
    every detector's is. Crowds are left out; what a crop left of an object is learned."""

    learning_rate = 1e-4

    def head(self) -> nn.Module:
        """The backbone's own, for the labels of the training rows."""
        made: nn.Module = self._backbone.detection_head(list(self.numbers))
        return made

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Each row's loss over its objects, at least 1."""
        said = outputs if "logits" in outputs else self._unserved(outputs)
        return RowLoss(*self._backbone.detection_loss(said, batch))

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``queries`` [B, Q, 4], boxes in the input's pixels, and ``scores`` [B, Q, classes]."""
        if outputs is None:
            raise ValueError("a detector is served with its head")
        boxes = to_corners(outputs["boxes"].float()) * self._scale(outputs["boxes"])
        return {"queries": boxes, "scores": outputs["logits"].float().sigmoid()}

    def _unserved(self, outputs: Outputs) -> Outputs:
        """What the head gave, from what a graph serves."""
        boxes = to_centres(outputs["queries"] / self._scale(outputs["queries"]))
        return {"boxes": boxes, "logits": torch.logit(outputs["scores"], eps=1e-7)}

    def _scale(self, like: torch.Tensor) -> torch.Tensor:
        height, width = self._backbone.size
        return like.new_tensor([width, height, width, height], dtype=torch.float32)

    @property
    def _backbone(self) -> Any:
        return self.brief.backbone
