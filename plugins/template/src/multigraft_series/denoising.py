"""A pretraining task: some numbers are hidden, and the network says what they were."""

from __future__ import annotations

import numpy as np
from torch import nn

import multigraft as mg
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs


class Guess(nn.Module):
    """One number at every position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, 1)

    def forward(self, features: mg.Features, batch: Batch) -> Outputs:
        """[B, T, D] -> [B, T]."""
        return {"guess": self.linear(features.sequence).squeeze(-1)}


class Denoising(mg.Objective):
    """Mean squared error at the hidden positions."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: mg.Brief) -> None:
        self.brief = brief

    def head(self) -> nn.Module:
        """A linear guess."""
        return Guess(self.brief.backbone.width)

    def prepare(
        self, batch: dict[str, np.ndarray], rng: np.random.Generator
    ) -> dict[str, np.ndarray]:
        """Choose what to hide: a share of each row's numbers, and never none."""
        real = batch["attention_mask"].astype(bool)
        draws = np.where(real, rng.random(real.shape), 2.0)
        hide = draws < self.brief.options["hidden"]
        hide[np.arange(len(hide)), draws.argmin(1)] = True
        return {**batch, "hide": hide}

    def loss(self, outputs: Outputs, batch: Batch) -> mg.RowLoss:
        """[B] sums of squared errors, weighted by how many numbers were hidden."""
        hide = batch["hide"].float()
        error = (outputs["guess"] - batch["values"]) ** 2 * hide
        return mg.RowLoss(error.sum(1), hide.sum(1))
