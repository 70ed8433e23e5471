"""Any number of labels a row, in any modality."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.contracts.types import Spec
from multigraft.models.fusion.choice import fusion_of
from multigraft.models.tasks.classification import LinearHead
from multigraft.models.tasks.label_set_rows import LabelSetRows
from multigraft.models.tasks.label_set_scores import ranking_precision


class MultiLabel(LabelSetRows, Objective):
    """Binary cross-entropy of each label, averaged over the labels."""

    problem_type = "multi_label_classification"
    shares_targets = True

    brief: Brief

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the labels, which begins at their shares.

        At a pretrained network's rate a layer that begins at one half spends its steps on learning
        that labels are rare (Lin et al. 2017, "Focal Loss for Dense Object Detection", 4.1).
        """
        backbone: Any = self.brief.backbone
        fusion, width = fusion_of(self.brief)
        head = LinearHead(
            width,
            len(self.labels),
            bias=backbone.head_bias,
            dropout=self.brief.options["dropout"],
            fusion=fusion,
        )
        if backbone.head_bias and self.weights is None:  # balanced, every share is one half
            with torch.no_grad():
                head.linear.bias.copy_(_log_odds(self.brief.targets))
        return head

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Mean binary cross-entropy [B] of the labels, weighted as scikit-learn's one-vs-rest."""
        logits, held = outputs["logits"].float(), batch["held"]
        each = F.binary_cross_entropy_with_logits(logits, held.float(), reduction="none")
        if self.weights is not None:
            without, having = torch.from_numpy(self.weights).to(logits.device)
            each = each * torch.where(held, having, without)
        total = each.mean(1)
        return RowLoss(total, torch.ones_like(total).detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``probabilities`` and ``logits``, [B, labels] each."""
        if outputs is None:
            raise ValueError("a classifier is served with its head")
        logits = outputs["logits"].float()
        return {"probabilities": logits.sigmoid(), "logits": logits}

    def average(self, views: Sequence[Outputs]) -> Outputs:
        """Logits of the mean probabilities."""
        each = torch.stack([view["logits"].float() for view in views])
        held, lacked = F.logsigmoid(each).logsumexp(0), F.logsigmoid(-each).logsumexp(0)
        return {"logits": held - lacked}

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, the labels' probabilities and which the row has, and how well it ranks them."""
        probabilities, held = outputs["logits"].float().sigmoid(), batch["held"]
        ranking = ranking_precision(probabilities.cpu().numpy(), held.cpu().numpy())
        return {
            **super().measure(outputs, batch, loss),
            "probabilities": probabilities,
            "held": held,
            "ranking": torch.from_numpy(ranking),
        }

    def linear_head(self, head: nn.Module) -> nn.Linear | None:
        """The linear layer of `LinearHead`."""
        return head.linear if isinstance(head, LinearHead) else None


def _log_odds(targets: Spec) -> Tensor:
    """[labels]: log of the rows with a label over those without, half a row added to each."""
    having = torch.tensor(targets["counts"], dtype=torch.float32)
    return torch.log((having + 0.5) / (float(targets["rows"]) - having + 0.5))
