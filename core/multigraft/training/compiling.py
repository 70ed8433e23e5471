"""`torch.compile`: tried on one batch, and kept where it pays back in this run."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn

log = logging.getLogger("multigraft")

TRIAL_STEP = 8
"""The step at which ``auto`` decides: the first ones are slower than the rest."""
WORTH = 1200.0
"""Seconds of training left below which ``auto`` does not try: compiling takes a minute or two."""
GAIN = 0.97
"""Compiled time over plain time that is worth the change."""
ROUNDS = 3


def worth_trying(step_seconds: float, steps_left: int) -> bool:
    """Tell whether enough training is left for compiling to be a small share of it."""
    return step_seconds * steps_left >= WORTH


def compiled(model: nn.Module, *, varied: bool) -> nn.Module:
    """Wrap a model to be compiled later; ``varied`` where the lengths of batches differ."""
    found: nn.Module = torch.compile(model, dynamic=True if varied else None)
    return found


def is_faster(plain: Callable[[], None], other: Callable[[], None]) -> bool:
    """Compile by calling ``other`` once, then compare the two in turns, and say what came out."""
    started = time.perf_counter()
    try:
        other()
    except Exception as error:  # compilers fail in many ways, and none of them may end a training
        log.info("torch.compile is off: %s", (str(error) or type(error).__name__).splitlines()[0])
        return False
    took = time.perf_counter() - started
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for kept, step in zip(times, (plain, other), strict=True):
            started = time.perf_counter()
            step()
            kept.append(time.perf_counter() - started)
    before, after = (statistics.median(kept) for kept in times)
    faster = after <= GAIN * before
    log.info(
        "torch.compile is %s: a step takes %.3g s instead of %.3g s (compiling took %.0f s)",
        "on" if faster else "off",
        after,
        before,
        took,
    )
    return faster
