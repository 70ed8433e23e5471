"""SimCLR (Chen et al. 2020): two views of an image must lie nearer to each other than to others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.types import Arrays
from multigraft_vision.augment import Policy


class ProjectionHead(nn.Module):
    """SimCLR's g: linear, batch norm, ReLU, linear; ``projection`` [2B, size] of unit length."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(width, width, bias=False),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, size),
        )

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """[2B, D] -> {"projection": [2B, size]}."""
        del batch
        return {"projection": F.normalize(self.layers(features.pooled).float(), dim=-1)}


class ImageContrastive(Objective):
    """NT-Xent over the views of a batch; its scores depend on the batch size."""

    monitor = "loss"
    greater_is_better = False
    mixes_rows = True

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        options = brief.options
        self.temperature: float = options["temperature"]
        self.policy = Policy(
            crop=(options["crop"], 1.0),
            flip=options["flip"],
            rotate=options["rotate"],
            color=options["color"],
            gray=options["gray"],
            blur=options["blur"],
        )

    def head(self) -> nn.Module:
        """A projection from the backbone's width."""
        backbone: Any = self.brief.backbone
        return ProjectionHead(backbone.width, self.brief.options["projection"])

    def view(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        """Two views: ``image`` [H, W, 3] -> [2, H, W, 3]."""
        image = row["image"]
        return {**row, "image": np.stack([self.policy.apply(image, rng) for _ in range(2)])}

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Views become images: [B, 2, H, W, 3] -> [2B, H, W, 3], the two of a row side by side."""
        del rng
        image = batch["image"]
        return {**batch, "image": image.reshape(-1, *image.shape[2:])}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """NT-Xent of each row, the mean of its two views; every row weighs 1."""
        del batch
        similarity, partner = _similarities(outputs["projection"])
        each = F.cross_entropy(similarity / self.temperature, partner, reduction="none")
        total = each.view(-1, 2).mean(1)
        return RowLoss(total, torch.ones_like(total).detach())

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Besides the loss: the share of a row's two views whose nearest is the other one."""
        similarity, partner = _similarities(outputs["projection"])
        found = (similarity.argmax(1) == partner).float()
        return {**super().measure(outputs, batch, loss), "found": found.view(-1, 2).mean(1)}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, and ``contrastive_accuracy``: how often a view's nearest is its partner."""
        return {**super().summarise(kept), "contrastive_accuracy": float(kept["found"].mean())}


def _similarities(projection: Tensor) -> tuple[Tensor, Tensor]:
    """Cosines [2B, 2B] with -inf for a view with itself, and the index of each view's partner."""
    similarity = projection @ projection.T
    count = len(projection)
    itself = torch.eye(count, dtype=torch.bool, device=projection.device)
    partner = torch.arange(count, device=projection.device) ^ 1  # 0 <-> 1, 2 <-> 3, ...
    return similarity.masked_fill(itself, float("-inf")), partner
