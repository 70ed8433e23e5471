"""The task bound to one run: head, loss, metrics, and what the exported graph gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import multigraft as mg
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs, Row
from multigraft_sapling.answers import number


class OneNumber(nn.Module):
    """A linear layer on the pooled features."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, 1)

    def forward(self, features: mg.Features, batch: Batch) -> Outputs:
        """[B, D] -> ``score`` [B], in spreads from the mean."""
        return {"score": self.linear(self.dropout(features.pooled)).squeeze(-1)}


class Regression(mg.Objective):
    """Mean squared error, in spreads of the training targets."""

    monitor = "mean_absolute_error"
    greater_is_better = False

    def __init__(self, brief: mg.Brief) -> None:
        self.brief = brief
        self.mean: float = brief.targets["mean"]
        self.spread: float = brief.targets["spread"]

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to one number."""
        backbone: Any = self.brief.backbone
        return OneNumber(backbone.width, self.brief.options["dropout"])

    def encode(self, row: Row, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The target of a row. Raises RowError."""
        return {
            "target": np.asarray((number(row.get("target")) - self.mean) / self.spread, np.float32)
        }

    def loss(self, outputs: Outputs, batch: Batch) -> mg.RowLoss:
        """The squared error of each row; every row weighs the same."""
        error = (outputs["score"].float() - batch["target"]) ** 2
        return mg.RowLoss(error, torch.ones_like(error).detach())

    def serve(self, features: mg.Features, outputs: Outputs | None) -> Outputs:
        """``value`` in the targets' own unit, and ``score``, by which a bundle is judged."""
        if outputs is None:
            raise ValueError("a finetuning task is served with its head")
        score = outputs["score"].float()
        return {"value": score * self.spread + self.mean, "score": score}

    def measure(self, outputs: Outputs, batch: Batch, loss: mg.RowLoss) -> dict[str, Tensor]:
        """Loss and error: what is kept of each row."""
        error = (outputs["score"].float() - batch["target"]) * self.spread
        return {**super().measure(outputs, batch, loss), "error": error}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The mean absolute error and the root of the mean squared one, in the targets' own
        unit."""
        error = kept["error"].astype(np.float64)
        return {
            **super().summarise(kept),
            "mean_absolute_error": float(np.abs(error).mean()),
            "root_mean_squared_error": float(np.sqrt((error**2).mean())),
        }
