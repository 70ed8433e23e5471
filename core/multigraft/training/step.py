"""An optimizer step: the gradient over all its rows, however these were divided."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.errors import OutOfMemory, first_line, out_of_memory
from multigraft.evaluation.microbatches import batch_size, halve_on_shortage, split_batch
from multigraft.training.mixed_loss import training_loss, weighted

if TYPE_CHECKING:
    from multigraft.runs.run import Run
    from multigraft.training.forward import Forward
    from multigraft.training.standardization import Standard

log = logging.getLogger("multigraft")

Step = Sequence[tuple[np.ndarray, Batch]]
"""Batches of a step with their rows' numbers: one or, with accumulation, several."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of a step's forward and backward pass."""

    loss: float
    """The mean over the rows of all processes."""
    norm: float
    """Of the whole gradient, before clipping."""
    factor: float
    """What the gradients in the parameters are to be multiplied with: it averages and clips."""
    microbatches: int
    """The parts each batch was computed in."""

    @property
    def finite(self) -> bool:
        """Tell whether it may change the weights."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class Gradient:
    """Computes a step's gradient into the parameters, not yet averaged or clipped."""

    def __init__(self, run: Run, forward: Forward) -> None:
        self.parameters = list(run.graft.parameters())
        self.objective = run.objective
        self.forward = forward
        self.world = run.world
        self.clip = run.recipe.training.clip
        self.weights_of = run.weights_of
        self.standard: Standard | None = None
        """The coordinates the gradient is left in, where they are not the weights' own."""

    def compute(self, batches: Step, microbatches: int) -> Outcome:
        """Compute the gradient of the loss over all rows, in microbatches where memory runs out.

        Microbatches give the same sums, to rounding; only dropout draws other masks, and batch
        normalisation sees fewer rows at once. Raises OutOfMemory where one row does not fit, or
        where the objective mixes rows before the loss.
        """
        whole = self.objective.mixes_rows and not self.objective.mixes_in_loss
        most = 1 if whole else max(batch_size(batch) for _, batch in batches)
        try:
            compute = partial(self._sum, batches)
            (total, weight), taken = halve_on_shortage(compute, microbatches, most)
        except Exception as error:
            if not out_of_memory(error):
                raise
            raise OutOfMemory(_too_large(whole, first_line(error))) from error
        if taken > microbatches:
            log.warning("memory ran out: each batch is now computed in %d microbatches", taken)
        return self._finish(total, weight, microbatches=taken)

    def _sum(self, batches: Step, microbatches: int) -> tuple[float, float]:
        """Add up the gradients of all losses; the sums of losses and weights."""
        for parameter in self.parameters:
            parameter.grad = None
        total, weight = 0.0, 0.0
        parts, pieces = (microbatches, 1) if self.objective.mixes_rows else (1, microbatches)
        for rows, batch in (
            micro for given, whole in batches for micro in split_batch(given, whole, pieces)
        ):
            with self.forward.precision.autocast():
                outputs = self.forward.in_parts(batch, rows, parts)
                loss = training_loss(self.objective, outputs, batch)
                loss = weighted(loss, self.weights_of(rows))
            summed = loss.total.sum()
            summed.backward()
            total, weight = total + float(summed.detach()), weight + float(loss.weight.sum())
        return total, weight

    def _finish(self, total: float, weight: float, *, microbatches: int) -> Outcome:
        """Add up what all processes have, and find how to average and clip it."""
        learning = [parameter for parameter in self.parameters if parameter.requires_grad]
        self.world.add_up(learning)
        if self.standard is not None:
            self.standard.turn()
        total, weight = self.world.sum(total, weight)
        weight = max(weight, 1e-12)
        gradients = [parameter.grad for parameter in learning if parameter.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) / weight
        kept = min(1.0, self.clip / (norm + 1e-6)) if self.clip else 1.0
        return Outcome(total / weight, norm, kept / weight, microbatches)


def _too_large(whole: bool, said: str) -> str:
    what = "a batch, which this task computes as one," if whole else "a single row"
    return (
        f"memory ran out on {what}; set training.gradient_checkpointing: true, lower "
        f"training.batch_size, or cut rows shorter with the reader's options ({said})"
    )
