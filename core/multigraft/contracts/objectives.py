"""What a task is to the engine once it is bound to a run: head, targets, loss, metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.generation import Generating
from multigraft.contracts.padding import Fill
from multigraft.contracts.reader import Reader
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays, Spec
from multigraft.errors import PluginError

Outputs = dict[str, Tensor]
LENGTHS = "lengths"
"""A batch's array [rows] of how many positions of each row are no padding. `Objective.prepare` may
give it where `Objective.mixes_in_loss`: a processor then computes rows of like length together."""
Row = Mapping[str, Any]
"""One raw row: its columns by name."""


@dataclass(frozen=True, kw_only=True)
class Brief:
    """All that an objective may know of its run."""

    backbone: nn.Module
    reader: Reader
    targets: Spec
    """What `Task.targets` learned from the training rows; empty where the task has none."""
    options: Mapping[str, Any]
    """The task's options, defaults filled in."""
    modality: str


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


class Objective(Protocol):
    """Inherit it and write what the task needs; what has a body here may be left as it is.

    Nothing here keeps state between calls, and all chance comes from the ``rng`` given.
    """

    monitor: str
    """The metric that chooses the best checkpoint, a key of `summarise`."""
    greater_is_better: bool
    fills: Mapping[str, float | Fill] = {}
    """The target arrays that vary from row to row, with what pads them (see `Reader.fills`)."""
    moves: Mapping[str, str] = {}
    """The targets that lie on the raw value's plane, and what they are: ``mask`` [H, W], ``boxes``
    [N, 4], ``points`` [..., 2], or ``with:boxes`` [N, ...], an entry for each of the target
    ``boxes``.

    `encode` gives them in raw pixels; the engine carries them to the input's, after augmentation,
    by the row's ``frame`` and ``extent`` (see `multigraft.contracts.frames`), which a reader gives
    where `Task.reader` asks for them.
    """
    packs: bool = False
    """Whether rows may be joined into one sequence; the backbone then keeps them apart by
    ``segments``.

    [B, T]: 1, 2 ... number the rows inside a sequence, 0 is padding. `Features.pooled` then belongs
    to no row.
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
    whole: bool = False
    """Whether a target describes all of the raw value, as a transcript does a sound: a row that the
    reader would cut off (see `WindowReader`) is then a bad row, in training and held out."""

    def head(self) -> nn.Module:
        """A new head, a module called as ``head(features, batch) -> Outputs``."""
        ...

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The loss of each row. ``batch`` holds the reader's arrays and those of `encode` and
        `prepare`."""
        ...

    def arrange(self, rows: Sequence[Row], rng: np.random.Generator) -> Sequence[Row]:
        """Rewrite one split's raw rows before they are read (documents into sentence pairs,
        say)."""
        return rows

    def parts(self, row: Row) -> Sequence[Row]:
        """The rows that one training row is learned from: itself, or others, as windows of a long
        passage. Held-out rows stay whole (see `Answers.windows`).

        A row for which it raises RowError is read as it is.
        """
        return (row,)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """The target arrays of one raw row. Raises RowError for a target that cannot be used.

        ``arrays`` are what the reader gave of it, read-only and before augmentation: labels of
        words are laid on the sub-words that were read, spans on what was not cut off.
        """
        return {}

    def doubts(self, rows: Iterable[Arrays]) -> Sequence[str]:
        """What a person should know of the training rows, each with its reader's arrays and its
        targets, before augmentation. No more of them are read than are asked for."""
        return ()

    def view(self, row: Arrays, rng: np.random.Generator) -> Arrays:
        """Change one read row each time it is used, in training and in validation (two views,
        say)."""
        return row

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Change a collated batch before it becomes tensors (mask tokens, say)."""
        return batch

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

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """The metrics of the rows in ``kept``, arrays [N, ...]. Called again on every bootstrap
        resample."""
        weight = max(float(kept["weight"].sum()), 1e-12)
        return {"loss": float(kept["loss"].sum()) / weight}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline | None:
        """What an answer without a look at its input scores on the rows in ``kept``; None: nothing
        to say."""
        return None

    def settle(self, kept: Mapping[str, np.ndarray]) -> Spec:
        """What is fixed once, by the validation rows of the trained model, and joins the run's
        targets: thresholds, say. ``kept`` is empty where no rows validate.

        The bundle has it, and the objective that evaluates is made with it.
        """
        return {}

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What a report shows besides numbers, as JSON: ``confusion``, ``tables`` by title, and
        ``label_counts`` (``labels``, how often each is ``expected`` and ``answered``); of each row
        in words what was ``expected`` and ``answered``, and whether it is ``correct``."""
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
