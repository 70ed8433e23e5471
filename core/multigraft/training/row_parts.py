"""Parts of a batch whose rows meet in the loss alone: computed one after another, of rows of like
length where the batch tells it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import LENGTHS

ROWS, PARTS = 8, 8
"""The fewest rows of a part of like length, and the most parts: what padding costs a processor is
saved by few, and each is a pass of its own."""


@dataclass(frozen=True)
class Parts:
    """Parts of a batch, and how their outputs become the batch's."""

    batches: Sequence[Batch]
    back: Tensor | None = None
    """The place of each row among those of all parts; None where these are in order."""

    def join(self, outputs: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """The outputs of all rows, in the batch's order."""
        found = {name: torch.cat([each[name] for each in outputs]) for name in outputs[0]}
        return found if self.back is None else {k: v[self.back] for k, v in found.items()}


def like_length(count: int) -> int:
    """The number of parts that save a batch of ``count`` rows most of its padding.

    >>> like_length(7), like_length(40), like_length(1000)
    (1, 5, 8)
    """
    return min(max(count // ROWS, 1), PARTS)


def split_rows(batch: Batch, parts: int, *, varying: Collection[str]) -> Parts:
    """Up to ``parts`` parts of like size, of the arrays that are as long as the longest.

    With `LENGTHS` in the batch rows are sorted by them, and the arrays ``varying`` [rows, T, ...]
    are cut to the longest row of a part.
    """
    count = max(len(array) for array in batch.values())
    inputs = {name: array for name, array in batch.items() if len(array) == count}
    size = -(-count // parts)
    if LENGTHS not in inputs:
        return Parts([_rows(inputs, slice(at, at + size)) for at in range(0, count, size)])
    order = inputs[LENGTHS].argsort(descending=True, stable=True)
    members = [order[at : at + size] for at in range(0, count, size)]
    return Parts([_cut(_rows(inputs, each), varying) for each in members], back=order.argsort())


def _rows(inputs: Batch, members: slice | Tensor) -> Batch:
    return {name: array[members] for name, array in inputs.items()}


def _cut(part: Batch, varying: Collection[str]) -> Batch:
    longest = int(part[LENGTHS].max())
    return {name: array[:, :longest] if name in varying else array for name, array in part.items()}
