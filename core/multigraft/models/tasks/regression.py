"""A number a row, or several, in any modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.models.fusion.choice import fusion_of
from multigraft.models.tasks.classification import LinearHead
from multigraft.models.tasks.number_rows import OUTPUT, NumberRows

LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
}


class Regression(NumberRows, Objective):
    """Learns standardised numbers and serves them in their own unit.

    With ``quantiles`` each number has one output for each level, and the pinball loss.
    """

    problem_type = "regression"
    brief: Brief

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)
        self._loss = LOSSES[brief.options["loss"]]

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the numbers, or to each one's quantiles."""
        fusion, width = fusion_of(self.brief)
        count = len(self.names) * (1 if self.levels is None else len(self.levels))
        dropout = self.brief.options["dropout"]
        return LinearHead(width, count, bias=True, dropout=dropout, output=OUTPUT, fusion=fusion)

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The mean [B] over a row's numbers, and over the levels where there are some."""
        found, wanted = outputs[OUTPUT].float(), batch["wanted"]
        if self.levels is None:
            each = self._loss(found, wanted, reduction="none")
        else:
            levels = torch.tensor(self.levels, dtype=found.dtype, device=found.device)
            under = wanted.unsqueeze(-1) - self._shaped(found)
            each = torch.maximum(levels * under, (levels - 1) * under).flatten(1)
        total = each.mean(1)
        return RowLoss(total, torch.ones_like(total).detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``numbers`` [B, numbers] or [B, numbers, levels] in their unit, and ``standardised``."""
        if outputs is None:
            raise ValueError("a regression is served with its head")
        found = outputs[OUTPUT].float()
        return {"numbers": self._values(found), OUTPUT: found}

    def average(self, views: Sequence[Outputs]) -> Outputs:
        """The mean numbers, or quantiles."""
        return {OUTPUT: torch.stack([view[OUTPUT].float() for view in views]).mean(0)}

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, and the numbers answered and wanted, in their unit."""
        wanted = batch["wanted"].cpu().double()
        values = self._values(outputs[OUTPUT].float()).cpu()
        return {
            **super().measure(outputs, batch, loss),
            "values": values if self.levels is None else values.sort(-1).values,
            "wanted": wanted * torch.from_numpy(self.deviations) + torch.from_numpy(self.means),
        }

    def linear_head(self, head: nn.Module) -> nn.Linear | None:
        """The layer with the unit folded into it; None for quantiles, and where the ecosystem's
        layer has no bias to take up the mean."""
        backbone: Any = self.brief.backbone
        if not isinstance(head, LinearHead) or self.levels is not None or not backbone.head_bias:
            return None
        linear = nn.Linear(head.linear.in_features, head.linear.out_features)
        weight, bias = (each.detach().cpu().double() for each in head.linear.parameters())
        deviations = torch.from_numpy(self.deviations)
        with torch.no_grad():
            linear.weight.copy_(weight * deviations[:, None])
            linear.bias.copy_(bias * deviations + torch.from_numpy(self.means))
        return linear

    def _shaped(self, found: Tensor) -> Tensor:
        """[B, numbers * levels] -> [B, numbers, levels]; as it is without levels."""
        return found if self.levels is None else found.unflatten(1, (len(self.names), -1))

    def _values(self, found: Tensor) -> Tensor:
        """Standardised outputs in the numbers' unit."""
        means, deviations = (
            torch.tensor(each, dtype=found.dtype, device=found.device)
            for each in (self.means.tolist(), self.deviations.tolist())
        )
        if self.levels is None:
            return found * deviations + means
        return self._shaped(found) * deviations[:, None] + means[:, None]
