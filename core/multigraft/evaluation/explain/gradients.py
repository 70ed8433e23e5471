"""Gradient methods: integrated gradients, and the gradient times the input.

Both weigh a unit by the inner product of gradients with what the unit adds to the row: the
difference between the row and the row without it, in the network's differentiable inputs. Since
these differences add up, weights of tokens, pixels and time-frequency cells follow from one rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multigraft.contracts.explaining import Attribution, GradientSubject
from multigraft.contracts.features import Batch
from multigraft.evaluation.explain.inputs import Inputs, inputs_of, number_at

NOISE = 1e-5
"""The share of a number that is not told apart: float32 rounds some thousand times on the way."""
TOGETHER = 16
"""Points on the way, or rows, that are computed at a time."""


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

    def gradients(self, points: np.ndarray, shares: np.ndarray) -> Inputs:
        """The sum of the gradients at points from 0 (hidden) to 1 (the row), each by its share."""
        found = {name: torch.zeros_like(each) for name, each in self.row.items()}
        if not found:  # hiding all changes nothing, as of a picture of one colour
            return found
        for start in range(0, len(points), TOGETHER):
            some = slice(start, start + TOGETHER)
            for name, each in self._gradients(points[some], shares[some]).items():
                found[name] += each
        return found

    def _gradients(self, points: np.ndarray, shares: np.ndarray) -> Inputs:
        at = {name: self._at(name, points).requires_grad_() for name in self.row}
        batch: Batch = {
            name: value[:1].expand(len(points), *value.shape[1:])
            for name, value in self._batch.items()
        }
        with torch.enable_grad():
            numbers = number_at(self.subject, batch, at)
            weighted = (numbers * _tensor(shares, numbers)).sum()
            found = torch.autograd.grad(weighted, list(at.values()), allow_unused=True)
        return {
            name: torch.zeros_like(self.row[name]) if each is None else each.sum(0, keepdim=True)
            for name, each in zip(at, found, strict=True)
        }

    def _at(self, name: str, points: np.ndarray) -> Tensor:
        row, hidden = self.row[name], self.hidden[name]
        along = _tensor(points, row).reshape(-1, *[1] * (row.dim() - 1))
        return (hidden + along * (row - hidden)).detach()

    def total(self, gradients: Inputs) -> float:
        """The sum of all weights: what all units together add, times the gradients."""
        pairs = ((self.row[name] - self.hidden[name], gradients[name]) for name in self.row)
        return float(sum((one.double() * other.double()).sum() for one, other in pairs))

    def weights(self, gradients: Inputs) -> np.ndarray:
        """[U]: what each unit adds to the row, times the gradients."""
        alone = np.eye(self.subject.count, dtype=bool)
        found = [
            self._products(alone[start : start + TOGETHER], gradients)
            for start in range(0, len(alone), TOGETHER)
        ]
        return np.concatenate(found)

    def _products(self, hidden: np.ndarray, gradients: Inputs) -> np.ndarray:
        without = inputs_of(self.subject, self.subject.batch(hidden))
        each = [
            ((self.row[name] - without[name]).double() * gradients[name].double()).flatten(1).sum(1)
            for name in self.row
        ]
        if not each:
            return np.zeros(len(hidden))
        found: np.ndarray = torch.stack(each).sum(0).cpu().numpy()
        return found


def integrated_gradients(subject: GradientSubject, options: Mapping[str, Any]) -> Attribution:
    """Integrated gradients (Sundararajan et al. 2017, equation 1) by Gauss-Legendre quadrature.

    ``completeness_error`` is how far the weights' sum is from the change of the explained number
    between the row and the row with all hidden, as a share of that change; points are doubled until
    it is within ``tolerance``, there are ``most_steps``, or what is missing is beyond what float32
    tells (`NOISE` of the number). Where it stays larger the weights are off by as much.
    """
    path, steps = GradientPath(subject), int(options["steps"])
    noise = NOISE * max(map(abs, path.ends))
    while True:
        gradients = path.gradients(*quadrature(steps))
        gap = abs(path.total(gradients) - (path.ends[0] - path.ends[1]))
        near = gap <= max(noise, options["tolerance"] * abs(path.ends[0] - path.ends[1]))
        if near or 2 * steps > options["most_steps"]:
            weights = path.weights(gradients)
            error = completeness(weights, *path.ends)
            return Attribution(weights, {"completeness_error": error, "steps": float(steps)})
        steps *= 2


def gradient_x_input(subject: GradientSubject, options: Mapping[str, Any]) -> Attribution:
    """The gradient at the row times what each unit adds to it (Shrikumar et al. 2016, with what is
    hidden in the place of 0)."""
    del options
    path = GradientPath(subject)
    return Attribution(path.weights(path.gradients(np.ones(1), np.ones(1))))


def completeness(weights: np.ndarray, row: float, hidden: float) -> float:
    """How far the sum of weights is from the change that they explain, as a share of that.

    >>> completeness(np.array([0.25, 0.25]), 0.9, 0.4), completeness(np.zeros(1), 0.5, 0.5)
    (0.0, 0.0)
    """
    change = row - hidden
    gap = abs(float(weights.sum()) - change)
    return gap / abs(change) if change else gap


def quadrature(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and shares of Gauss-Legendre quadrature on 0 to 1, denser at 0.

    The way is gone through as ``t**2``: a sound, or a softmax, changes most where little is shown.
    """
    points, shares = np.polynomial.legendre.leggauss(steps)
    along = (points + 1) / 2
    return along**2, along * shares


def _tensor(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float32, device=like.device)
