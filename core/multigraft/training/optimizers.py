"""Optimizers: the optimizer of a plan, and the rate it has at a step."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from multigraft.contracts.plan import Plan
from multigraft.recipe import Training
from multigraft.training.learning_rate import rate_factor
from multigraft.training.standardization import Standard


class ScheduledOptimizer:
    """A fused optimizer over a plan's groups, each at its share of the rate."""

    def __init__(self, plan: Plan, training: Training, *, rate: float, total_steps: int) -> None:
        """``rate`` is the peak."""
        self.rate = rate
        self.total_steps = total_steps
        self.training = training
        self.groups = plan.groups()
        self.standard: Standard | None = None
        """The coordinates it works in, where it works in others."""
        self.optimizer = self._optimizer()

    @property
    def names(self) -> list[str]:
        """The parameters in the optimizer's order."""
        return [name for group in self.groups for name in group.names]

    def step(self, step: int, scale: float, factor: float) -> float:
        """Change the weights along ``factor`` times their gradients; the rate it did that at.

        ``step`` counts from 0; ``scale`` is what mishaps left of the rate.
        """
        rate = self.rate * scale * rate_factor(step, self.total_steps, self.training)
        for group, settings in zip(self.groups, self.optimizer.param_groups, strict=True):
            settings["lr"] = rate * group.rule.scale
        # a fused kernel divides each gradient by this as it uses it, which saves a pass over all of
        # them
        device = self.groups[0].parameters[0].device
        self.optimizer.grad_scale = torch.tensor(1 / factor, device=device)
        with self.standard.taken() if self.standard else nullcontext():
            self.optimizer.step()
        return rate

    def _optimizer(self) -> torch.optim.Optimizer:
        training = self.training
        settings = [
            {
                "params": list(group.parameters),
                "lr": self.rate * group.rule.scale,
                "weight_decay": training.weight_decay if group.decays else 0.0,
            }
            for group in self.groups
        ]
        if training.optimizer == "sgd":
            return torch.optim.SGD(settings, lr=self.rate, momentum=training.momentum, fused=True)
        return torch.optim.AdamW(settings, lr=self.rate, betas=training.betas, fused=True)
