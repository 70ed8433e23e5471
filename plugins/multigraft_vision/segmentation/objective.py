"""The objective of semantic segmentation: a class for every pixel of the input."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.runtime.answers.label_maps.classes import IGNORE
from multigraft_vision.segmentation.heads import HEADS, LOGITS
from multigraft_vision.segmentation.losses import by_pixel, dice
from multigraft_vision.segmentation.mask_rows import MASK, MaskRows

LABEL_MAP = "classes"


class SemanticSegmentation(MaskRows, Objective):
    """Learns the class of each pixel, from logits at the finest level's cells that are enlarged to
    the input's pixels; its metrics are those of the answers, in the picture's own pixels."""

    brief: Brief

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        self.kinds = frozenset(brief.options["loss"].split("+"))
        self.weights = _weights(brief.targets["counts"])

    def head(self) -> nn.Module:
        """The head that the recipe asks for, on the backbone's levels."""
        backbone: Any = self.brief.backbone
        options = self.brief.options
        return HEADS[options["head"]](
            backbone.levels, options["width"], len(self.classes.labels), options["dropout"]
        )

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The mean over pixels, of Dice over pictures."""
        wanted = batch[MASK].long()
        logits = _enlarged(outputs[LOGITS].float(), wanted)
        real = (wanted != IGNORE).flatten(1).sum(1).float()
        if self.kinds == {"dice"}:
            return RowLoss(dice(logits, wanted) * real, real)
        weights = None if self.weights is None else self.weights.to(logits.device)
        gamma = self.brief.options["gamma"] if "focal" in self.kinds else None
        found = by_pixel(logits, wanted, weights, gamma)
        if "dice" not in self.kinds:
            return found
        return RowLoss(found.total + dice(logits, wanted) * found.weight, found.weight)

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``classes`` uint8 [B, H, W] of the input's pixels, and ``logits`` at the cells they were
        enlarged from, by which the loss is judged."""
        if outputs is None:
            raise ValueError("a segmentation is served with its head")
        reader: Any = self.brief.reader
        logits = outputs[LOGITS].float()
        enlarged = F.interpolate(
            logits, size=tuple(reader.spec()["size"]), mode="bilinear", align_corners=False
        )
        return {LABEL_MAP: enlarged.argmax(1).to(torch.uint8), LOGITS: logits}


def _enlarged(logits: Tensor, wanted: Tensor) -> Tensor:
    return F.interpolate(logits, size=wanted.shape[-2:], mode="bilinear", align_corners=False)


def _weights(counts: list[int]) -> Tensor | None:
    """[classes] with the mean 1 over the pixels, by the inverse root of each class's share; None
    without counts."""
    if not counts:
        return None
    shares = np.array(counts, dtype=np.float64).clip(1) / max(1, sum(counts))
    weights = shares**-0.5
    return torch.tensor(weights / (weights * shares).sum(), dtype=torch.float32)
