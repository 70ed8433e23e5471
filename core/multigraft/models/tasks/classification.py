"""One label a row, in any modality."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.functional import classification as scores

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, Row, RowLoss
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays
from multigraft.errors import RowError, did_you_mean, shown
from multigraft.models.fusion.choice import fusion_of
from multigraft.models.tasks.class_scores import confused, macro_scores
from multigraft.models.tasks.shared import label_fault, label_name


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


class Classification(Objective):
    """Cross-entropy with optional label smoothing and class weights, averaged as torch averages
    it."""

    monitor = "accuracy"
    greater_is_better = True
    shares_targets = True

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.labels: tuple[str, ...] = tuple(brief.targets["labels"])
        self.index = {label_name(label): index for index, label in enumerate(self.labels)}
        self.smoothing: float = brief.options["label_smoothing"]
        self.weights = _class_weights(brief)

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

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """The label as an index. Raises RowError for one that training never saw."""
        value = row.get("label")
        fault = label_fault(value)
        if fault is not None:
            raise RowError(fault, column="label")
        name = label_name(value)
        if name not in self.index:
            raise RowError(
                f"label {shown(name)} was not seen in training; {did_you_mean(name, self.labels)}",
                column="label",
            )
        return {"label": np.asarray(self.index[name], dtype=np.int64)}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Cross-entropy [B]; its weight is the class weight, as in `torch.nn.CrossEntropyLoss`."""
        logits, label = outputs["logits"].float(), batch["label"]
        weights = None if self.weights is None else self.weights.to(logits.device)
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

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Accuracy, macro precision, recall and F1, micro F1, expected calibration error, loss."""
        answer, target = kept["answer"], kept["target"]
        accuracy = float((answer == target).mean())
        return {
            **super().summarise(kept),
            "accuracy": accuracy,
            **macro_scores(answer, target, len(self.labels)),
            "f1_micro": accuracy,  # of one label a row they are the same number
            "calibration_error": _calibration_error(kept),
        }

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """The share of the rows' most frequent label."""
        counts = np.bincount(kept["target"], minlength=len(self.labels))
        most = int(counts.argmax())
        answer = f"always answering {self.labels[most]!r}, their most frequent label"
        return Baseline("accuracy", float(counts[most] / counts.sum()), answer)

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """The confusion matrix as its cells, and each row's label and answer by name."""
        cells = confused(kept["answer"], kept["target"], len(self.labels))
        return {
            "confusion": {"labels": list(self.labels), "cells": cells},
            "expected": [self.labels[index] for index in kept["target"]],
            "answered": [self.labels[index] for index in kept["answer"]],
            "correct": (kept["answer"] == kept["target"]).tolist(),
        }

    def linear_head(self, head: nn.Module) -> nn.Linear | None:
        """The linear layer of `LinearHead`."""
        return head.linear if isinstance(head, LinearHead) else None


def _class_weights(brief: Brief) -> Tensor | None:
    """N / (classes * count) for each class, the ``balanced`` rule of scikit-learn."""
    if brief.options["class_weights"] == "none":
        return None
    counts = torch.tensor(brief.targets["counts"], dtype=torch.float32)
    return counts.sum() / (len(counts) * counts)


def _calibration_error(kept: Mapping[str, np.ndarray]) -> float:
    """Expected calibration error of the top label in 15 bins (Guo et al. 2017)."""
    confidence = torch.from_numpy(kept["confidence"].astype(np.float32))
    right = torch.from_numpy((kept["answer"] == kept["target"]).astype(np.int64))
    return float(scores.binary_calibration_error(confidence, right, n_bins=15, validate_args=False))
