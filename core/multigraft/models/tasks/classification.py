"""One label a row, in any modality."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.models.fusion.choice import fusion_of
from multigraft.models.tasks.class_rows import ClassRows


class LinearHead(nn.Module):
    """Dropout and one linear layer on the pooled features, or on the ``fusion`` of several
    branches: ``logits`` [B, classes], or by another name."""

    def __init__(
        self,
        width: int,
        classes: int,
        *,
        bias: bool,
        dropout: float,
        output: str = "logits",
        fusion: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.fusion = fusion
        self.output = output
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, classes, bias=bias)
        nn.init.trunc_normal_(self.linear.weight, std=0.02)
        if bias:
            nn.init.zeros_(self.linear.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """[B, D] -> {"logits": [B, classes]}."""
        pooled = features.pooled if self.fusion is None else self.fusion(features)
        return {self.output: self.linear(self.dropout(pooled))}


class Classification(ClassRows, Objective):
    """Cross-entropy with optional label smoothing and class weights, averaged as torch averages
    it."""

    shares_targets = True
    brief: Brief

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the labels."""
        backbone: Any = self.brief.backbone
        fusion, width = fusion_of(self.brief)
        return LinearHead(
            width,
            len(self.labels),
            bias=backbone.head_bias,
            dropout=self.brief.options["dropout"],
            fusion=fusion,
        )

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Cross-entropy [B]; its weight is the class weight, as in `torch.nn.CrossEntropyLoss`."""
        logits, label = outputs["logits"].float(), batch["label"]
        weights = None if self.weights is None else torch.from_numpy(self.weights).to(logits.device)
        total = F.cross_entropy(
            logits, label, weight=weights, label_smoothing=self.smoothing, reduction="none"
        )
        weight = torch.ones_like(total) if weights is None else weights[label]
        return RowLoss(total, weight.detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``probabilities`` and ``logits``, [B, classes] each."""
        if outputs is None:
            raise ValueError("a classifier is served with its head")
        logits = outputs["logits"].float()
        return {"probabilities": logits.softmax(-1), "logits": logits}

    def average(self, views: Sequence[Outputs]) -> Outputs:
        """Logits of the mean probabilities."""
        each = torch.stack([view["logits"].float().log_softmax(-1) for view in views])
        return {"logits": each.logsumexp(0) - math.log(len(views))}

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, answer, target and confidence: four numbers a row, whatever the number of
        classes."""
        confidence, answer = outputs["logits"].float().softmax(-1).max(-1)
        return {
            **super().measure(outputs, batch, loss),
            "answer": answer,
            "target": batch["label"],
            "confidence": confidence,
        }

    def linear_head(self, head: nn.Module) -> nn.Linear | None:
        """The linear layer of `LinearHead`."""
        return head.linear if isinstance(head, LinearHead) else None
