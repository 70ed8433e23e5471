"""Weight averaging (Polyak & Juditsky 1992): a running mean, which often generalises better."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from multigraft.training.checkpoint.tensors import changing, put_back


class Average:
    """The exponential moving average of what changes in a model.

    After step t the mean keeps ``min(decay, (1 + t) / (10 + t))`` of itself, so that early weights
    are soon forgotten (the warm-up of tf.train.ExponentialMovingAverage). Whole numbers are copied.
    """

    def __init__(self, model: nn.Module, unchanging: frozenset[str], decay: float) -> None:
        """``unchanging`` names what never changes."""
        self.model = model
        self.unchanging = unchanging
        self.decay = decay
        self.values = {name: tensor.detach().clone() for name, tensor in self._now().items()}
        self._own: dict[str, Tensor] = {}
        """The model's weights while it has the mean's."""

    def _now(self) -> dict[str, Tensor]:
        return changing(self.model, self.unchanging)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after ``step`` (from 1)."""
        tensors = self._now()
        keep = min(self.decay, (1 + step) / (10 + step))
        floats = [name for name, value in self.values.items() if value.is_floating_point()]
        torch._foreach_lerp_(
            [self.values[name] for name in floats],
            [tensors[name].detach() for name in floats],
            1 - keep,
        )
        for name in self.values.keys() - set(floats):
            self.values[name].copy_(tensors[name])

    @contextmanager
    @torch.no_grad()
    def applied(self) -> Iterator[None]:
        """Let the model have the mean's weights within the block."""
        self._own = {name: tensor.detach().clone() for name, tensor in self._now().items()}
        try:
            self.take_over()
            yield
        finally:
            self.give_back()

    def give_back(self) -> None:
        """Give the model its own weights again; also where a signal came in the midst of that."""
        if self._own:
            put_back(self._now(), self._own)
            self._own = {}

    def take_over(self) -> None:
        """Give the model the mean's weights for good."""
        put_back(self._now(), self.values)
