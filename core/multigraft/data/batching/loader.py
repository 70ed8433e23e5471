"""From planned batches to tensors, the same bits whoever reads them and wherever reading starts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.contracts.frames import EXTENT, FRAME, joined, moved
from multigraft.contracts.mixing import mixed
from multigraft.contracts.padding import Fills
from multigraft.contracts.reader import Augment, JoiningAugment, MixingAugment
from multigraft.contracts.readers import collate
from multigraft.contracts.row_objectives import RowObjective
from multigraft.contracts.types import Arrays
from multigraft.data.batching.batches import Members
from multigraft.data.batching.packing import collate_packs
from multigraft.data.batching.prefetch import read_ahead, timed
from multigraft.data.batching.worker_pool import read_apart
from multigraft.data.chosen_rows import SomeRows
from multigraft.errors import MultigraftError, PluginError

ROW, BATCH, MIXTURE = 5, 6, 7
"""What a generator is for; part of its seed."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over rows: what its chance follows from."""

    seed: int
    number: int = 0
    augment: Augment | None = None
    train: bool = False
    """Without it nothing is augmented, and every epoch is the same."""

    @property
    def stream(self) -> tuple[int, int, int]:
        """The part of every generator's seed that is the same in the whole pass."""
        return self.seed, self.number if self.train else 0, int(self.train)


def iterate(
    rows: SomeRows,
    batches: Sequence[Members],
    epoch: Epoch,
    *,
    workers: int = 0,
    start: int = 0,
    names: Collection[str] | None = None,
    waits: list[float] | None = None,
    alone: Callable[[], object] = lambda: None,
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Give each batch from number ``start`` on, with the numbers of its rows.

    A row's chance follows from (seed, epoch, row), a batch's from (seed, epoch, batch number):
    neither ``workers`` nor ``start`` changes a bit. Draws nothing from torch's generators.

    Batches of packs (`plan_packs`) hold their rows joined, with ``segments`` int64 [B, T]: 1, 2 ...
    for the rows of a pack, 0 where padded; their row numbers come pack after pack. Raises
    MultigraftError for packs where the objective has no `Objective.packs`.

    Of each row only the arrays in ``names`` are read, where they are given. ``workers`` are the
    processes that read; with 0 this one does, ahead in a thread where a batch takes long. Where one
    is lost this process reads on, and ``alone`` is called. The seconds that each batch was waited
    for are added to ``waits``.
    """
    _check_packs(batches, rows.objective)
    augment = epoch.augment if epoch.train else None
    source = _Source(
        rows=rows,
        batches=batches,
        augment=augment,
        varied=augment is not None or _views(rows.objective) or bool(rows.objective.moves),
        fills={**rows.reader.fills, **rows.objective.fills},
        stream=epoch.stream,
        names=None if names is None else {*names, *_needed(rows.objective)},
    )
    numbers = range(start, len(batches))
    made = (
        read_apart(source.make, numbers, workers=workers, begin=_one_thread, alone=alone)
        if workers
        else read_ahead(source.make, numbers)
    )
    loaded = ((indices, _tensors(batch)) for indices, batch in made)
    return loaded if waits is None else timed(loaded, waits)


@dataclass(frozen=True)
class _Source:
    """Batches by number."""

    rows: SomeRows
    batches: Sequence[Members]
    augment: Augment | None
    varied: bool
    """Whether anything changes single rows; making a generator for each takes its time."""
    fills: Fills
    stream: tuple[int, int, int]
    names: Collection[str] | None

    def make(self, number: int) -> tuple[np.ndarray, Arrays]:
        """One batch: the numbers of its rows, and its arrays."""
        members = self.batches[number]
        batch = self._collate(members)
        if isinstance(self.augment, MixingAugment):
            rng = np.random.default_rng([*self.stream, MIXTURE, number])
            batch = mixed(batch, self.augment.mix(batch, rng))
        prepared = self.rows.objective.prepare(
            batch, np.random.default_rng([*self.stream, BATCH, number])
        )
        indices = np.concatenate(members) if isinstance(members, tuple) else members
        return indices, prepared

    def _collate(self, members: Members) -> Arrays:
        if isinstance(members, tuple):
            return collate_packs(
                [[self._row(int(row)) for row in pack] for pack in members], self.fills
            )
        return collate([self._row(int(row)) for row in members], self.fills)

    def _row(self, index: int) -> Arrays:
        if not self.varied:
            return self.rows.fetch(index, self.names)
        rng = np.random.default_rng([*self.stream, ROW, index])
        row = self._moved(index, rng)
        if isinstance(self.augment, JoiningAugment):
            row = self._joined(row, self.augment, rng)
        return self.rows.objective.view(row, rng)

    def _moved(self, index: int, rng: np.random.Generator) -> Arrays:
        """A row as it is augmented, its targets in the input's pixels."""
        row = self.rows.fetch(index, self.names)
        if self.augment is not None:
            row = self.augment(row, rng)
        objective = self.rows.objective
        return moved(row, objective.moves, objective.fills)

    def _joined(self, row: Arrays, augment: JoiningAugment, rng: np.random.Generator) -> Arrays:
        """The row with others of the split, which its own chance draws: so every epoch can be
        begun anywhere."""
        drawn = rng.integers(len(self.rows), size=augment.others(rng)).tolist()
        if not drawn:
            return row
        rows = [row, *(self._moved(index, rng) for index in drawn)]
        objective = self.rows.objective
        made, pieces = augment.join(rows, rng)
        return {**made, **joined(rows, pieces, objective.moves, objective.fills)}


def _check_packs(batches: Sequence[Members], objective: RowObjective) -> None:
    if len(batches) and isinstance(batches[0], tuple) and not objective.packs:
        raise MultigraftError(
            f"training.packing: {type(objective).__name__} needs every row in a sequence of its "
            "own; leave it unset, or use training.batch_budget"
        )


def _views(objective: RowObjective) -> bool:
    """Whether an objective changes single rows; `Objective.view` itself leaves them as they are."""
    return getattr(objective.view, "__func__", None) is not RowObjective.view


def _needed(objective: RowObjective) -> Collection[str]:
    """The arrays without which targets cannot be moved."""
    return (*objective.moves, FRAME, EXTENT) if objective.moves else ()


def _tensors(batch: Arrays) -> Batch:
    return {name: _tensor(name, array) for name, array in batch.items()}


def _tensor(name: str, array: np.ndarray) -> torch.Tensor:
    try:
        return torch.from_numpy(np.require(array, requirements=["C", "W"]))
    except TypeError as error:
        raise PluginError(
            f"array {name!r} is of {array.dtype}; torch has no such numbers"
        ) from error


def _one_thread() -> None:
    """Keep a forked worker from threads that its parent had."""
    torch.set_num_threads(1)
