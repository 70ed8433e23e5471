"""Dropout masks on the CPU, drawn several times faster than torch does, from torch's own seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

STEPS = 2**16
"""A probability is rounded to a multiple of 1 / STEPS: 64 random bits decide four elements."""
ROUNDING = 1e-3
"""The largest relative error of a probability through rounding; rarer ones are drawn in full."""
SMALL = 4096
"""Below as many elements torch's own way is as quick."""


@contextmanager
def fast_dropout() -> Iterator[None]:
    """While the block runs, ``Tensor.bernoulli_(p)`` on the CPU fills from a vectorised generator.

    torch draws one element after another from a Mersenne twister; here numpy's SFC64 gives four
    elements for one draw. Its seed is drawn from torch's generator, so `torch.manual_seed` decides
    all, recomputation under `torch.utils.checkpoint` draws the same again, and every user is
    served: `nn.Dropout`, attention, stochastic depth. Other devices are left alone.
    """
    library = torch.library.Library("aten", "IMPL")
    library.impl("bernoulli_.float", _bernoulli, "CPU", allow_override=True)
    try:
        yield
    finally:
        library._destroy()


def _bernoulli(
    values: Tensor, p: float = 0.5, *, generator: torch.Generator | None = None
) -> Tensor:
    """Fill ``values`` with ones, each with probability ``p``, and zeros."""
    if values.numel() < SMALL or not drawable(p):
        return values.copy_(torch.rand(values.shape, generator=generator) < p)
    # torch copies bytes in vectors, and booleans one at a time
    return values.copy_(Coins(p, generator).toss(values.shape).view(torch.uint8))


def drawable(p: float) -> bool:
    """Tell whether 16 bits hold a probability well enough."""
    steps = round(p * STEPS)
    return 0 < steps < STEPS and abs(steps / STEPS - p) <= ROUNDING * min(p, 1 - p)


class Coins:
    """A stream of coins that show heads with one probability, which must be `drawable`."""

    def __init__(self, p: float, generator: torch.Generator | None = None) -> None:
        """The seed is the next draw of torch's generator."""
        seed = torch.empty((), dtype=torch.int64).random_(generator=generator)
        self._words = np.random.SFC64(int(seed))
        self._bound = round(p * STEPS) - STEPS // 2

    def toss(self, shape: Sequence[int]) -> Tensor:
        """Booleans of this shape, the next ones of the stream."""
        count = math.prod(shape)
        words = self._words.random_raw(-(-count // 4)).view(np.int16)
        heads = words[:count] < self._bound  # numpy compares in vectors, torch does not
        return torch.from_numpy(heads).view(tuple(shape))


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of one step of one process; the first process has that of a training alone."""
    entropy = [seed, step, rank] if rank else [seed, step]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)
