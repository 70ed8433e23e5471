"""Batch schedule: the batches of every epoch and their steps, decided before training."""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence

import numpy as np

from multigraft.data.batching.batches import Members, padding_share, plan_batches
from multigraft.data.batching.length_parts import length_parts
from multigraft.data.batching.packing import plan_packs
from multigraft.recipe import Training
from multigraft.training.defaults import EPOCHS


class BatchSchedule:
    """Schedule of batches from lengths, recipe and seed alone; holds the present epoch's plan."""

    def __init__(
        self,
        lengths: np.ndarray,
        training: Training,
        *,
        seed: int,
        by_length: bool = True,
        budget: float | None = None,
        world: int = 1,
        epochs: float = EPOCHS,
        per_pass: float = math.inf,
    ) -> None:
        """``budget`` is the recipe's, counted as ``lengths`` are; ``world`` processes share a step;
        ``by_length`` puts rows of like length into a batch (see `plan_batches`).

        ``epochs`` are taken where the recipe names none. ``per_pass`` is what a pass costs, in
        positions (see `length_parts`); unless it is finite, batches are computed whole.
        """
        self._lengths = lengths
        self._training = training
        self._wanted = epochs if training.epochs is None else training.epochs
        self._seed = seed
        self._by_length = by_length
        self._budget = budget
        self._world = world
        self._per_pass = per_pass
        self.whole = False
        """Whether batches are computed whole, whatever ``per_pass``."""
        self._epoch = -1
        self._batches: Sequence[Members] = ()
        self._starts = [0]
        self._fill()
        self.total_steps = training.steps or math.ceil(self._fraction(self._wanted))
        """Optimizer steps in the whole training; 0 where no epoch is wanted."""

    def place(self, step: int) -> tuple[int, int]:
        """The epoch that a step (from 0) belongs to, and the steps of it that come before."""
        epoch = bisect.bisect_right(self._starts, step) - 1
        return epoch, step - self._starts[epoch]

    def ends(self, step: int) -> bool:
        """Tell whether an epoch ends with the step before ``step``."""
        return self.place(step)[1] == 0

    def batches(self, epoch: int) -> Sequence[Members]:
        """The row numbers of each batch of an epoch."""
        if epoch != self._epoch:
            self._batches, self._epoch = self._plan(epoch), epoch
        return self._batches

    def parts(self, batch: Members) -> Sequence[Members]:
        """What a batch is computed in: parts of like length where it was drawn at random."""
        whole = self.whole or self._by_length or math.isinf(self._per_pass)
        if whole or isinstance(batch, tuple):
            return [batch]
        return length_parts(self._lengths, batch, per_pass=self._per_pass)

    def padding(self, epoch: int) -> float:
        """The share of positions in an epoch's batches, as they are computed, that only pad."""
        parts = [part for batch in self.batches(epoch) for part in self.parts(batch)]
        return padding_share(self._lengths, parts)

    def epochs(self, start: float, end: float) -> float:
        """Count the epochs between two shares of the training."""
        first, last = (self._epochs(share * self.total_steps) for share in (start, end))
        return last - first

    def _epochs(self, step: float) -> float:
        epoch, done = self.place(int(step))
        return epoch + done / self._steps(epoch)

    def _fill(self) -> None:
        """Find where each epoch starts, up to the last; with a budget their steps differ."""
        training = self._training
        varies = self._budget is not None
        one = self._steps(0)
        epochs = math.ceil(self._wanted) if training.steps is None else -(-training.steps // one)
        epoch = 0
        while epoch < epochs or (training.steps or 0) > self._starts[-1]:
            self._starts.append(self._starts[-1] + (self._steps(epoch) if varies else one))
            epoch += 1
        self._starts.append(self._starts[-1] + one)  # what would follow

    def _fraction(self, epochs: float) -> float:
        """The steps in a number of epochs that need not be whole."""
        whole = math.floor(epochs)
        rest = epochs - whole
        return self._starts[whole] + (
            rest * (self._starts[whole + 1] - self._starts[whole]) if rest else 0
        )

    def _steps(self, epoch: int) -> int:
        if epoch + 1 < len(self._starts):
            return self._starts[epoch + 1] - self._starts[epoch]
        return max(1, -(-len(self.batches(epoch)) // (self._training.accumulation * self._world)))

    def _plan(self, epoch: int) -> Sequence[Members]:
        training = self._training
        if training.packing is not None:
            return plan_packs(
                self._lengths,
                capacity=training.packing,
                size=training.batch_size,
                seed=self._seed,
                epoch=epoch,
                shuffle=True,
                world=self._world,
            )
        return plan_batches(
            self._lengths,
            size=training.batch_size,
            seed=self._seed,
            epoch=epoch,
            shuffle=True,
            by_length=self._by_length,
            world=self._world,
            budget=self._budget,
        )
