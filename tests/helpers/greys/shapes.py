"""Which pixels belong to a shape: told by a mask of pixels and by boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import multigraft as mg
from helpers.greys import CLASSES, OUTSIDE, digits
from helpers.greys.reader import PLANE
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective, Outputs
from multigraft.contracts.readers import row_bytes
from multigraft.contracts.types import Arrays

BOX = 4


class PixelHead(nn.Module):
    def __init__(self, levels: Sequence[mg.Level]) -> None:
        super().__init__()
        self.linear = nn.Conv2d(sum(level.channels for level in levels), len(CLASSES), 1)

    def forward(self, features: mg.Features, batch: Batch) -> Outputs:
        real = batch["real"].float()
        fine, coarse = features.maps
        coarse = F.interpolate(coarse, scale_factor=2.0)[:, :, : fine.shape[2], : fine.shape[3]]
        logits = self.linear(torch.cat([fine, coarse], 1))
        return {"logits": logits * real.unsqueeze(1), "inside": real}


class Shapes(Objective):
    """Cross-entropy of each pixel, once by the mask and once by the boxes."""

    monitor = "accuracy"
    greater_is_better = True
    fills: Mapping[str, float | mg.Fill] = {
        "mask": mg.Fill(OUTSIDE, PLANE),
        "boxes": mg.Fill(-1, {0: "objects"}),
    }

    moves: Mapping[str, str] = {"mask": "mask", "boxes": "boxes"}

    def __init__(self, brief: mg.Brief) -> None:
        self.brief = brief

    def head(self) -> nn.Module:
        backbone: Any = self.brief.backbone
        return PixelHead(backbone.levels)

    def encode(self, row: Mapping[str, Any], arrays: Arrays) -> Arrays:
        mask = self.mask(row["mask"])
        if mask.shape != arrays["pixels"].shape:
            raise mg.RowError(
                f"the mask has {mask.shape} pixels, the picture {arrays['pixels'].shape}",
                column="mask",
            )
        boxes = [float(number) for number in (row["boxes"] or "").split()]
        return {
            "mask": mask,
            "boxes": np.array(boxes, np.float32).reshape(-1, BOX),
        }

    def mask(self, cell: Any) -> np.ndarray:
        """The classes in a cell."""
        return digits(cell)

    def loss(self, outputs: Outputs, batch: Batch) -> mg.RowLoss:
        real = batch["real"].float()
        inside = boxed(batch["boxes"], real.shape[1], real.shape[2])
        target = batch["mask"].long().where(batch["real"].bool(), 0)
        total = sum(
            F.cross_entropy(outputs["logits"], wanted, reduction="none")
            for wanted in (target, inside.long())
        )
        return mg.RowLoss((total * real).flatten(1).sum(1), real.flatten(1).sum(1))

    def serve(self, features: mg.Features, outputs: Outputs | None) -> Outputs:
        assert outputs is not None
        return {"logits": outputs["logits"], "inside": outputs["inside"]}

    def measure(self, outputs: Outputs, batch: Batch, loss: mg.RowLoss) -> dict[str, Tensor]:
        right = outputs["logits"].argmax(1) == batch["mask"].long()
        return {
            **super().measure(outputs, batch, loss),
            "right": (right & batch["real"].bool()).flatten(1).sum(1).float(),
            "pixels": batch["real"].flatten(1).sum(1).float(),
        }

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        share = float(kept["right"].sum() / kept["pixels"].sum())
        return {**super().summarise(kept), "accuracy": share}


class ShapesOnDisk(Shapes):
    """The same where each mask is a file."""

    def mask(self, cell: Any) -> np.ndarray:
        return digits(row_bytes(cell, limit=10_000).decode().strip())


def boxed(boxes: Tensor, height: int, width: int) -> Tensor:
    """[B, N, 4] -> [B, H, W]: whether a pixel's centre lies in a box."""
    x = torch.arange(width) + 0.5
    y = torch.arange(height) + 0.5
    left, top, right, bottom = (side[..., None, None] for side in boxes.unbind(-1))
    across = (x >= left) & (x < right)
    down = (y[:, None] >= top) & (y[:, None] < bottom)
    return (across & down).any(1)
