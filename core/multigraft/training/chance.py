"""Drawing dropout masks on the CPU several times faster than torch does, from torch's own seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

STEPS = 2**16
"""A chance is rounded to a multiple of 1 / STEPS, so that 64 random bits decide four elements."""
ROUNDING = 1e-3
"""The largest relative error of a chance through rounding; rarer ones are drawn in full."""
SMALL = 4096
"""Below as many elements torch's own way is as quick."""


@contextmanager
def quick_dropout() -> Iterator[None]:
    """While the block runs, ``Tensor.bernoulli_(p)`` on the CPU fills from a vectorised generator.

    torch draws one element after another from a Mersenne twister; here numpy's SFC64 gives four elements for
    one draw. Its seed is drawn from torch's generator, so `torch.manual_seed` decides all, recomputation
    under `torch.utils.checkpoint` draws the same again, and every user is served: `nn.Dropout`, attention,
    stochastic depth. Other devices are left alone.
    """
    library = torch.library.Library("aten", "IMPL")
    library.impl("bernoulli_.float", _bernoulli, "CPU", allow_override=True)
    try:
        yield
    finally:
        library._destroy()


def _bernoulli(values: Tensor, p: float = 0.5, *, generator: torch.Generator | None = None) -> Tensor:
    """Fill ``values`` with ones, each with the chance ``p``, and zeros."""
    steps = round(p * STEPS)
    rounded = abs(steps / STEPS - p) <= ROUNDING * min(p, 1 - p)
    if values.numel() < SMALL or not (rounded and 0 < steps < STEPS):
        return values.copy_(torch.rand(values.shape, generator=generator) < p)
    seed = int(torch.empty((), dtype=torch.int64).random_(generator=generator))
    words = np.random.SFC64(seed).random_raw(-(-values.numel() // 4)).view(np.uint16)
    drawn = torch.from_numpy(words.view(np.int16))[: values.numel()]
    return values.copy_((drawn < steps - STEPS // 2).view(values.shape))


def step_seed(seed: int, step: int, rank: int) -> int:
    """The seed of one step of one process; the first process has that of a training alone."""
    entropy = [seed, step, rank] if rank else [seed, step]
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)
