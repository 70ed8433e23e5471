"""Standardised features: a linear layer on a frozen backbone learns as if it read them.

The scale of features is the weights' own business (a standard deviation of 0.03 is as common as one
of 30), and no rate suits them all. So the optimizer sees the layer in the coordinates of z = (x -
mean) / scale, where one rate does: W' = W * scale, b' = b + W mean. The layer itself, which is
saved, averaged and validated, stays one on x.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.plan import Plan
from multigraft.data import Epoch, iterate, plan_batches
from multigraft.training.replay import untouched

if TYPE_CHECKING:
    from multigraft.runs.run import Run
    from multigraft.training.forward import Forward

log = logging.getLogger("multigraft")
ROWS = 1024
"""As many rows say mean and scale to a few percent."""
FLOOR = 1e-2
"""The least scale, as a share of the mean one: what hardly ever differs is not made large."""
HALF_BIT = 2.0**-9
"""How far bf16 rounds a number, relative to it."""
BLUR = 1e-2
"""From which share of the scale on, by the root mean square, such rounding is too much."""


@dataclass(frozen=True)
class Standard:
    """The coordinates of one layer."""

    layer: nn.Linear
    mean: Tensor
    """[D]; zeros for a layer without a bias, which could not take up a shift."""
    scale: Tensor
    """[D]."""
    center: Tensor
    """[D]: the mean of what differs, also where `mean` is not taken off; else 0."""

    @torch.no_grad()
    def turn(self) -> None:
        """Make the layer's gradient that of the standardised coordinates."""
        weight, bias = self.layer.weight.grad, self.layer.bias
        if weight is None:
            return
        if bias is not None and bias.grad is not None:
            weight -= bias.grad.unsqueeze(1) * self.mean
        weight /= self.scale

    @contextmanager
    @torch.no_grad()
    def taken(self) -> Iterator[None]:
        """Let the layer have the standardised coordinates within the block."""
        weight, bias = self.layer.weight, self.layer.bias
        if bias is not None:
            bias += weight @ self.mean
        weight *= self.scale
        yield
        self.back()

    @torch.no_grad()
    def begin(self, drawn: Mapping[str, Tensor]) -> None:
        """Take the layer's initial weights as standardised: small on any features."""
        self.layer.load_state_dict(drawn)
        self.back()

    @torch.no_grad()
    def back(self) -> None:
        """Take the layer's present values for standardised coordinates, and give it its own."""
        weight, bias = self.layer.weight, self.layer.bias
        weight /= self.scale
        if bias is not None:
            bias -= weight @ self.mean


def lone_linear(plan: Plan) -> nn.Linear | None:
    """The linear layer that learns, where nothing else ever does; None elsewhere."""
    learning = {name for name, rule in plan.rules.items() if rule.learns}
    if plan.starts() != [0.0]:
        return None
    for path, module in plan.graft.named_modules():
        own = {f"{path}.{name}" for name, _ in module.named_parameters(recurse=False)}
        if isinstance(module, nn.Linear) and own == learning:
            return module
    return None


class Standardization:
    """Finds the coordinates of a run whose plan has a `lone_linear`."""

    def __init__(self, run: Run) -> None:
        """Made before a checkpoint is loaded, while the layer is as it was drawn."""
        self.run = run
        self.layer = lone_linear(run.plan)
        own = {} if self.layer is None else self.layer.state_dict()
        self.drawn = {name: value.clone() for name, value in own.items()}

    def begin(self, forward: Forward, step: int) -> Standard | None:
        """The coordinates from ``step`` on; a layer that no earlier run taught begins in them.

        That follows from what was drawn alone, so it is the same after an interruption before the
        first step.
        """
        if self.layer is None:
            return None
        standard = _standard(self.run, forward, self.layer)
        if forward.precision.name == "bf16" and blurred(standard):
            log.info("the features differ too little beside their mean for bf16: fp32 is used")
            forward.widen()
            standard = _standard(self.run, forward, self.layer)
        if step == 0 and not self.run.facts.get("head_inherited"):
            standard.begin(self.drawn)
        return standard


def blurred(standard: Standard) -> bool:
    """Whether rounding to bf16 loses too much of what the features tell."""
    share = HALF_BIT * (standard.center / standard.scale)
    return bool(share.square().mean().sqrt() > BLUR)


def _standard(run: Run, forward: Forward, layer: nn.Linear) -> Standard:
    """From some of the training rows."""
    count, first, second = run.world.agree(_moments(run, forward, layer))
    mean, square = first / max(count, 1), second / max(count, 1)
    varies = square > mean**2
    center = mean * varies  # what never differs is rounded to one number
    if layer.bias is None:
        mean = torch.zeros_like(mean)
    scale = (square - mean**2).clamp(min=0).sqrt()
    scale = scale.clamp(min=FLOOR * float(scale.mean()))
    scale[scale == 0] = 1.0
    return Standard(layer, *(value.to(layer.weight) for value in (mean, scale, center)))


def _moments(run: Run, forward: Forward, layer: nn.Linear) -> tuple[int, Tensor, Tensor]:
    """Number of vectors that the layer read, their sum and sum of squares, in double precision."""
    seen = 0
    sums = torch.zeros(2, layer.in_features, dtype=torch.float64)

    def add(module: nn.Module, given: tuple[Any, ...]) -> None:
        nonlocal seen
        values = given[0].detach().reshape(-1, layer.in_features).double().cpu()
        seen += len(values)
        sums.add_(torch.stack([values.sum(0), (values**2).sum(0)]))

    hook = layer.register_forward_pre_hook(add)
    try:
        _pass(run, forward)
    finally:
        hook.remove()
        run.plan.activate(0.0)
    return seen, sums[0], sums[1]


def _pass(run: Run, forward: Forward) -> None:
    """Take rows from all over the training set through the graft, as they are evaluated."""
    chosen = np.unique(np.linspace(0, len(run.rows["train"]) - 1, ROWS).astype(int))
    with untouched(run.graft):
        run.graft.eval()
        for _ in evaluated(run, forward, "train", chosen):
            pass


def evaluated(
    run: Run, forward: Forward, split: str, chosen: np.ndarray
) -> Iterator[tuple[np.ndarray, Batch, Outputs]]:
    """Each batch of some rows of a split: their numbers, the batch, and the graft's outputs,
    replayed where the split is."""
    rows, replayed = run.rows[split], forward.replayed.get(split)
    planned = plan_batches(
        rows.lengths[chosen],
        size=run.recipe.training.batch_size,
        seed=0,
        epoch=0,
        shuffle=False,
        budget=run.budget(),
    )
    device = next(run.graft.parameters()).device
    for numbers, batch in iterate(
        rows,
        [chosen[members] for members in planned],
        Epoch(seed=run.recipe.seed),
        names=None if replayed is None else replayed.reads,
    ):
        moved = {name: value.to(device) for name, value in batch.items()}
        with forward.precision.autocast():
            outputs = (
                run.graft(moved)
                if replayed is None
                else replayed.outputs(run.graft, moved, numbers)
            )
        yield numbers, moved, outputs
