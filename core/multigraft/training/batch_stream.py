"""Batch stream: the batches of a training's steps, read ahead and brought to the device."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import torch

from multigraft.data import Epoch, iterate
from multigraft.data.batching.worker_count import choose_workers
from multigraft.training.batch_schedule import BatchSchedule
from multigraft.training.defaults import default_epochs
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
            epochs=run.resolved.task.epochs or default_epochs(run.plan),
        )
        self._names: frozenset[str] | None = None
        self._workers = 0

    def begin(self, names: frozenset[str] | None) -> None:
        """Read only these arrays (None: all) from now on, with the workers that this needs."""
        self._names = names
        self._workers = self._choose_workers()

    def steps(self, step: int) -> Iterator[Step]:
        """The batches of ``step`` and of those after it in its epoch."""
        run = self.run
        epoch, done = self.schedule.place(step)
        loaded = iterate(
            run.rows["train"],
            run.world.share(self.schedule.batches(epoch)),
            self._epoch(epoch),
            workers=self._workers,
            start=done * self.training.accumulation,
            names=self._names,
            alone=self._alone,
        )
        while batches := list(islice(loaded, self.training.accumulation)):
            yield [
                (
                    rows,
                    {
                        name: value.to(self.device, non_blocking=True)
                        for name, value in batch.items()
                    },
                )
                for rows, batch in batches
            ]

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
