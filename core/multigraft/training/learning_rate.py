"""Learning rate schedules: functions of the step, which need no state."""

from __future__ import annotations

import math

from multigraft.recipe import Training


def rate_factor(step: int, total: int, training: Training) -> float:
    """Share of the peak rate at ``step`` (from 0) of ``total``: linear warm-up, then the schedule.

    >>> training = Training(warmup=0.5, schedule="linear")
    >>> [rate_factor(step, 4, training) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    rising = math.ceil(training.warmup * total)
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(total - rising, 1)
    if training.schedule == "linear":
        return 1 - done
    if training.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * done))
    return 1.0
