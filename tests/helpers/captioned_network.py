"""The head and the objective of the toy with two branches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import multigraft as mg
from helpers import greys
from helpers.greys.reader import PLANE
from helpers.span_toy_network import IGNORED, Tagging
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective, Outputs, Row
from multigraft.contracts.types import Arrays


class MarkHead(nn.Module):
    """Tags of words, which see the picture as a whole; classes of pixels, which see the text."""

    def __init__(self, widths: Mapping[str, int], tags: int) -> None:
        super().__init__()
        self.tags = nn.Linear(widths["words"], tags)
        self.tags_seen = nn.Linear(widths["grey"], tags, bias=False)
        self.pixels = nn.Conv2d(widths["grey"], len(greys.CLASSES), 1)
        self.pixels_seen = nn.Linear(widths["words"], len(greys.CLASSES), bias=False)

    def forward(self, features: mg.Features, batch: Batch) -> Outputs:
        words, grey = features.branches["words"], features.branches["grey"]
        tags = self.tags(words.sequence) + self.tags_seen(grey.pooled).unsqueeze(1)
        pixels = self.pixels(grey.maps[0]) + self.pixels_seen(words.pooled)[..., None, None]
        return {"tags": tags, "pixels": pixels}


class Marking(Objective):
    """Cross-entropy of each word's tag and of each pixel's class."""

    monitor = "f1_span"
    greater_is_better = True
    fills: Mapping[str, float | mg.Fill] = {
        "tag": IGNORED,
        "mask": mg.Fill(greys.OUTSIDE, PLANE),
    }

    moves: Mapping[str, str] = {"mask": "mask"}

    def __init__(self, brief: mg.Brief) -> None:
        self.words = Tagging(brief)
        backbone: Any = brief.backbone
        self.widths = {name: branch.width for name, branch in backbone.named.items()}

    def head(self) -> nn.Module:
        return MarkHead(self.widths, 1 + 2 * len(self.words.labels))

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        tags = self.words.encode(row, {"places": arrays["words.places"]})["tags"]
        mask = greys.digits(row["mask"])
        if mask.shape != arrays["grey.pixels"].shape:
            raise mg.RowError("the mask has other sides than the picture", column="mask")
        return {"tag": tags, "mask": mask}

    def loss(self, outputs: Outputs, batch: Batch) -> mg.RowLoss:
        mask = batch["mask"].long()
        losses = [
            F.cross_entropy(
                outputs["tags"].mT, batch["tag"], ignore_index=IGNORED, reduction="none"
            ).sum(1),
            F.cross_entropy(outputs["pixels"], mask, ignore_index=greys.OUTSIDE, reduction="none")
            .flatten(1)
            .sum(1),
        ]
        counted = (batch["tag"] != IGNORED).sum(1) + (mask != greys.OUTSIDE).flatten(1).sum(1)
        return mg.RowLoss(losses[0] + losses[1], counted.float())

    def serve(self, features: mg.Features, outputs: Outputs | None) -> Outputs:
        assert outputs is not None
        return outputs

    def measure(self, outputs: Outputs, batch: Batch, loss: mg.RowLoss) -> dict[str, Tensor]:
        real = batch["mask"] != greys.OUTSIDE
        right = (outputs["pixels"].argmax(1) == batch["mask"].long()) & real
        counts = torch.stack([right.flatten(1).sum(1), real.flatten(1).sum(1)], dim=-1)
        return {**super().measure(outputs, batch, loss), "pixels": counts}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        right, real = kept["pixels"].sum(0).tolist()
        return {**super().summarise(kept), "accuracy_pixels": right / real}
