"""Batch stream: the batches of a training's steps, read ahead and brought to the device."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import torch

from multigraft.contracts.features import Batch
from multigraft.contracts.reader import MixingAugment
from multigraft.data import Epoch, iterate
from multigraft.data.batching.worker_count import choose_workers
from multigraft.training.batch_schedule import BatchSchedule
from multigraft.training.defaults import default_epochs
from multigraft.training.pass_cost import pass_cost
from multigraft.training.step import Step

if TYPE_CHECKING:
    from multigraft.runs.run import Run


class BatchStream:
    """Reads this process's share of every step."""

    def __init__(self, run: Run, device: torch.device) -> None:
        self.run = run
        self.training = run.recipe.training
        self.device = device
        self.schedule = BatchSchedule(
            run.rows["train"].lengths,
            self.training,
            seed=run.recipe.seed,
            by_length=not run.objective.random_batches,
            budget=run.budget(),
            world=run.world.size,
            epochs=run.resolved.task.epochs
            or default_epochs(run.plan, self._passes_for(run.resolved.modality.least_steps)),
            per_pass=self._per_pass(),
        )
        self._names: frozenset[str] | None = None
        self._workers = 0

    def _passes_for(self, steps: int) -> float:
        """How many passes over the training rows so many steps are."""
        together = self.training.batch_size * self.training.accumulation * self.run.world.size
        return steps * together / len(self.run.rows["train"])

    def begin(self, names: frozenset[str] | None, *, whole: bool = False) -> None:
        """Read only these arrays (None: all) from now on, with the workers that this needs;
        ``whole`` where little is computed of a batch, so that parts of it would cost more."""
        self._names = names
        self.schedule.whole = whole
        self._workers = self._choose_workers()

    def steps(self, step: int) -> Iterator[Step]:
        """The batches of ``step`` and of those after it in its epoch."""
        run, training = self.run, self.training
        epoch, done = self.schedule.place(step)
        batches = run.world.share(self.schedule.batches(epoch))
        parts = [self.schedule.parts(batch) for batch in batches]
        counts = [
            sum(map(len, parts[start : start + training.accumulation]))
            for start in range(0, len(parts), training.accumulation)
        ]
        loaded = iterate(
            run.rows["train"],
            [part for batch in parts for part in batch],
            self._epoch(epoch),
            workers=self._workers,
            start=sum(counts[:done]),
            names=self._names,
            alone=self._alone,
        )
        for count in counts[done:]:
            yield [(rows, self._moved(batch)) for rows, batch in islice(loaded, count)]

    def _moved(self, batch: Batch) -> Batch:
        """A batch on the device."""
        return {name: value.to(self.device, non_blocking=True) for name, value in batch.items()}

    def _per_pass(self) -> float:
        """What a pass over a part of a batch costs, in positions; infinite where the rows of a
        batch meet, and on an accelerator, which computes few rows no faster than many."""
        meet = self.run.objective.mixes_rows or isinstance(self.run.augment, MixingAugment)
        return math.inf if meet or self.device.type != "cpu" else pass_cost(self.run.graft)

    def _epoch(self, number: int) -> Epoch:
        return Epoch(seed=self.run.recipe.seed, number=number, augment=self.run.augment, train=True)

    def _alone(self) -> None:
        """Start no more workers: what one of them died of would meet the next epoch's too."""
        self._workers = 0

    def _choose_workers(self) -> int:
        run, wanted = self.run, self.training.workers
        if wanted != "auto":
            return wanted
        return choose_workers(
            run.rows["train"],
            self._epoch(0),
            batch_size=self.training.batch_size,
            accelerated=self.device.type != "cpu",
            names=self._names,
        )
