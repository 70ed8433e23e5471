"""The straight line from the row with all units hidden to the row, and gradients along it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from multigraft.contracts.explaining import GradientSubject
from multigraft.contracts.features import Batch
from multigraft.evaluation.explain.inputs import Inputs, inputs_of, number_at

ROOM = 2**21
"""Numbers of the inputs that are computed at a time: what a network keeps of each is some hundred
times as much."""
TOGETHER = 32
"""The most points, or rows, that are computed at a time."""


@dataclass(frozen=True)
class Change:
    """What a unit adds to one of the inputs: to how many numbers of it, and how much to each."""

    places: Tensor
    """[n], counted through the input."""
    amounts: Tensor
    """[n], float64."""


class GradientPath:
    """Straight-line path from the baseline, the row with all units hidden, to the row itself."""

    def __init__(self, subject: GradientSubject) -> None:
        self.subject = subject
        masks = np.array([[False] * subject.count, [True] * subject.count])
        self._batch = subject.batch(masks)
        both = inputs_of(subject, self._batch)
        changed = {name: each for name, each in both.items() if bool((each[0] != each[1]).any())}
        self.row: Inputs = {name: each[:1] for name, each in changed.items()}
        self.hidden: Inputs = {name: each[1:] for name, each in changed.items()}

    @cached_property
    def ends(self) -> tuple[float, float]:
        """The explained number of the row, and where all is hidden."""
        with torch.no_grad():
            row, hidden = self.subject.number(self._batch).double().tolist()
        return row, hidden

    def products(self, points: np.ndarray) -> np.ndarray:
        """[P, U]: at points from 0 (hidden) to 1 (the row) the gradient times what each unit adds
        to the row; the sum over units is the derivative along the path."""
        if not self.row:  # hiding all changes nothing, as of a picture of one colour
            return np.zeros((len(points), self.subject.count))
        size = self._together
        parts = [points[start : start + size] for start in range(0, len(points), size)]
        return np.concatenate([self._folded(self.gradients(each)) for each in parts])

    def gradients(self, points: np.ndarray) -> Inputs:
        """The gradients [P, ...] at points, of each input that hiding changes."""
        at = {name: self._at(name, points).requires_grad_() for name in self.row}
        batch: Batch = {
            name: value[:1].expand(len(points), *value.shape[1:])
            for name, value in self._batch.items()
        }
        with torch.enable_grad():
            numbers = number_at(self.subject, batch, at)
            found = torch.autograd.grad(numbers.sum(), list(at.values()), materialize_grads=True)
        return dict(zip(at, found, strict=True))

    def _at(self, name: str, points: np.ndarray) -> Tensor:
        row, hidden = self.row[name], self.hidden[name]
        along = torch.as_tensor(points, dtype=torch.float32, device=row.device)
        return (hidden + along.reshape(-1, *[1] * (row.dim() - 1)) * (row - hidden)).detach()

    @property
    def _together(self) -> int:
        size = sum(each.numel() for each in self.row.values())
        return min(max(ROOM // max(size, 1), 1), TOGETHER)

    @cached_property
    def _changes(self) -> list[dict[str, Change]]:
        """What each unit adds to the row, by the name of the input."""
        alone, size = np.eye(self.subject.count, dtype=bool), self._together
        parts = (alone[start : start + size] for start in range(0, len(alone), size))
        return [each for part in parts for each in self._changed(part)]

    def _changed(self, hidden: np.ndarray) -> list[dict[str, Change]]:
        without = inputs_of(self.subject, self.subject.batch(hidden))
        added = {name: (row - without[name]).flatten(1) for name, row in self.row.items()}
        return [
            {name: _change(each[number]) for name, each in added.items()}
            for number in range(len(hidden))
        ]

    def _folded(self, gradients: Inputs) -> np.ndarray:
        flat = {name: each.flatten(1) for name, each in gradients.items()}
        units = [
            [flat[name][:, each.places].double() @ each.amounts for name, each in changes.items()]
            for changes in self._changes
        ]
        found: np.ndarray = (
            torch.stack([torch.stack(each).sum(0) for each in units], 1).cpu().numpy()
        )
        return found


def _change(added: Tensor) -> Change:
    places = added.nonzero()[:, 0]
    return Change(places, added[places].double())
