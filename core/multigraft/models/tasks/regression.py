"""A number a row, or several, in any modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, Row, RowLoss
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import RecipeError, RowError
from multigraft.models.fusion.choice import fusion_of
from multigraft.models.tasks.classification import LinearHead
from multigraft.models.tasks.number_scores import number_scores, quantile_scores
from multigraft.models.tasks.numbers import COLUMN, numbers_in

OUTPUT = "standardised"
LOSSES: Mapping[str, Callable[..., Tensor]] = {
    "mse": F.mse_loss,
    "mae": F.l1_loss,
    "huber": F.huber_loss,
}
MONITORS = {"mse": "r2", "huber": "r2", "mae": "d2_absolute_error"}
"""What says how much is explained of what the loss looks at: a share, whatever the unit."""


class Regression(Objective):
    """Learns standardised numbers and serves them in their own unit.

    With ``quantiles`` each number has one output for each level, and the pinball loss.
    """

    greater_is_better = True
    problem_type = "regression"

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.names: list[str] = brief.targets["names"]
        self.means, self.deviations = (
            np.array(brief.targets[name]) for name in ("means", "deviations")
        )
        if {each.shape for each in (self.means, self.deviations)} != {(len(self.names),)}:
            raise ValueError("each number of the targets has a mean and a deviation")
        self.levels = _levels(brief.options["quantiles"])
        kind = brief.options["loss"]
        self.monitor = MONITORS[kind] if self.levels is None else "d2_pinball"
        self._loss = LOSSES[kind]

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the numbers, or to each one's quantiles."""
        fusion, width = fusion_of(self.brief)
        count = len(self.names) * (1 if self.levels is None else len(self.levels))
        dropout = self.brief.options["dropout"]
        return LinearHead(width, count, bias=True, dropout=dropout, output=OUTPUT, fusion=fusion)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """The numbers, standardised [numbers]. Raises RowError where one is missing."""
        found = numbers_in(row.get(COLUMN))
        if found.keys() != set(self.names):
            raise RowError(
                f"the target holds {', '.join(found)}; the training rows have "
                f"{', '.join(self.names)}",
                column=COLUMN,
            )
        values = np.array([found[name] for name in self.names])
        return {"wanted": ((values - self.means) / self.deviations).astype(np.float32)}

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

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, errors, shares explained, correlations; with quantiles, how they fit."""
        values, wanted = kept["values"].astype(np.float64), kept["wanted"]
        scores = {**super().summarise(kept), **number_scores(self._middle(values), wanted)}
        if self.levels is None:
            return scores
        return {**scores, **quantile_scores(values, wanted, np.array(self.levels))}

    def settle(self, kept: Mapping[str, np.ndarray]) -> Spec:
        """The levels, which are an option and no part of what was learned."""
        return {} if self.levels is None else {"quantiles": self.levels}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """What the training rows' mean scores, or their median where the loss is absolute; of
        quantiles 0, which is what these rows' own would score."""
        if self.levels is not None:
            return Baseline(self.monitor, 0.0, "always answering the quantiles of these rows")
        kind = "means" if self.monitor == "r2" else "medians"
        constant = np.array(self.brief.targets[kind])
        answered = np.broadcast_to(constant, kept["wanted"].shape)
        value = number_scores(answered, kept["wanted"])[self.monitor]
        said = ", ".join(f"{each:.4g}" for each in constant[:3].tolist())
        return Baseline(self.monitor, value, f"always answering {said}, the training {kind[:-1]}")

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Each row's numbers as words, and where there are several, a table of their scores."""
        middle, wanted = self._middle(kept["values"].astype(np.float64)), kept["wanted"]
        details: dict[str, Any] = {
            "expected": [_said(row) for row in wanted],
            "answered": [_said(row) for row in middle],
        }
        if len(self.names) > 1:
            details["tables"] = {"numbers on these rows": self._table(middle, wanted)}
        return details

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

    def _middle(self, values: np.ndarray) -> np.ndarray:
        """The numbers themselves: of quantiles the median."""
        return values if self.levels is None else values[..., self.levels.index(0.5)]

    def _table(self, middle: np.ndarray, wanted: np.ndarray) -> tuple[tuple[str, ...], ...]:
        each = [
            number_scores(middle[:, [place]], wanted[:, [place]])
            for place in range(len(self.names))
        ]
        heading = ("number", *each[0])
        lines = [
            (name, *(f"{value:.4g}" for value in scores.values()))
            for name, scores in zip(self.names, each, strict=True)
        ]
        return (heading, *lines)


def _levels(asked: Any) -> list[float] | None:
    """The quantiles that a recipe asks for. Raises RecipeError."""
    if asked is None:
        return None
    fit = all(type(level) in (int, float) and 0 < level < 1 for level in asked)
    if not fit or asked != sorted(set(asked)) or 0.5 not in asked or len(asked) < 2:
        problem = (
            f"task.quantiles: found {asked}; give numbers between 0 and 1 in ascending order, 0.5 "
            "among them, as [0.1, 0.5, 0.9]"
        )
        raise RecipeError([problem])
    return [float(level) for level in asked]


def _said(numbers: np.ndarray) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers.tolist())
