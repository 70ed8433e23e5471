"""What a task is to the engine once it is bound to a run: head, targets, loss, metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.generation import Generating
from multigraft.contracts.row_objectives import Row, RowBrief, RowObjective
from multigraft.contracts.types import Spec
from multigraft.errors import PluginError

__all__ = [
    "LENGTHS",
    "Brief",
    "Objective",
    "Outputs",
    "Row",
    "RowLoss",
    "averages",
    "settles",
]
Outputs = dict[str, Tensor]
LENGTHS = "lengths"
"""A batch's array [rows] of how many positions of each row are no padding. `Objective.prepare` may
give it where `Objective.mixes_in_loss`: a processor then computes rows of like length together."""


@dataclass(frozen=True, kw_only=True)
class Brief(RowBrief):
    """All that an objective may know of its run."""

    backbone: nn.Module


@dataclass(frozen=True)
class RowLoss:
    """A loss per row as sum and weight, so that batches of any size and split add up to the same
    mean.

    The loss of a batch is ``total.sum() / weight.sum()``: a language model's weight is its token
    count, a classifier's is the class weight.
    """

    total: Tensor
    """[B], carries the gradient."""
    weight: Tensor
    """[B], no gradient."""

    def mean(self) -> Tensor:
        """The batch's loss."""
        return self.total.sum() / self.weight.sum().clamp(min=1e-12)


class Objective(RowObjective, Protocol):
    """Inherit it and write what the task needs; what has a body here, or in `RowObjective`, may be
    left as it is.

    Nothing here keeps state between calls, and all chance comes from the ``rng`` given.
    """

    mixes_rows: bool = False
    """Whether a row's loss depends on the rows beside it (contrastive pairs); the loss of such a
    batch is never computed in parts."""
    mixes_in_loss: bool = False
    """Whether they meet in the loss alone, and every output is one row's: where memory runs out,
    outputs are then computed in parts, and again for their gradients (Gao et al. 2021). A head with
    batch normalisation mixes rows before."""

    shares_targets: bool = False
    """Whether a row that is part one row and part another has that share of both their losses, as
    with cross-entropy: what mixes rows (`MixingAugment`) is refused by other tasks."""
    random_batches: bool = False
    """Whether training draws batches at random, in the place of rows of like length: where rows are
    each other's negatives, what is like about all of a batch cannot be learned from it.

    Unless rows mix, a processor reads and computes such a batch in parts of like length, and
    `prepare` is given one part at a time."""

    learning_rate: float | None = None
    """AdamW's peak rate where a recipe gives none, where it depends on what the head is (one that
    its backbone brought along is no new one); None: the task's."""

    problem_type: str = "single_label_classification"
    """What transformers calls the problem that `linear_head` solves, for the saved folder."""

    def head(self) -> nn.Module:
        """A new head, a module called as ``head(features, batch) -> Outputs``."""
        ...

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The loss of each row. ``batch`` holds the reader's arrays and those of `encode` and
        `prepare`."""
        ...

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """What the exported graph gives: named tensors [B, ...]. By default the pooled features.

        ``outputs`` is None for a pretraining task, whose head is not exported. For a finetuning
        task it gives all that `loss` and `measure` read, since the bundle is judged by them.
        """
        return {"embedding": features.pooled}

    def average(self, views: Sequence[Outputs]) -> Outputs:
        """The outputs of several views of the same rows as one, as its answers join what is served
        for them: a picture and its mirror image, in evaluation. Optional: a task whose answers have
        scores does not need it."""
        raise PluginError(f"{type(self).__name__} makes nothing of {len(views)} views of a row")

    def generating(self, head: nn.Module) -> Generating | None:
        """How the model writes tokens one after another; None where it answers in one step.

        A bundle of a task that says so generates: `serve` is not used, and it is judged by
        `monitor`, or by the texts that it writes (`Generating.judged`).
        """
        return None

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """What must be kept of each row to evaluate: small tensors [B, ...] of any fixed trailing
        shape; kept for the whole split.

        Metrics of answers, as of spans that people get, are those of `Answers.score`.
        """
        return {"loss": loss.total.detach(), "weight": loss.weight}

    def settle(self, kept: Mapping[str, np.ndarray]) -> Spec:
        """What is fixed once, by the validation rows of the trained model, and joins the run's
        targets: thresholds, say. ``kept`` is empty where no rows validate.

        The bundle has it, and the objective that evaluates is made with it.
        """
        return {}

    def linear_head(self, head: nn.Module) -> nn.Linear | None:
        """The linear layer on ``pooled`` inside ``head``, where the ecosystem has a place for it
        (see `problem_type`)."""
        return None

    def sequence_head(self, head: nn.Module) -> tuple[nn.Linear, Sequence[str]] | None:
        """The linear classifier on each position of ``sequence`` inside ``head``, and the names of
        its classes; it is saved by a backbone's ``save_sequence``, where that has one."""
        return None

    def save(self, folder: Path, head: nn.Module) -> None:
        """Write beside the backbone's own files what the ecosystem needs to open them as this
        task's: where to pool, say, or what only the trained ``head`` knows. By default nothing."""
        return


def averages(objective: Objective) -> bool:
    """Whether it makes one of the outputs of several views."""
    return getattr(objective.average, "__func__", None) is not Objective.average


def settles(objective: Objective) -> bool:
    """Whether anything is fixed by the validation rows of the trained model."""
    return getattr(objective.settle, "__func__", None) is not Objective.settle
