"""How long one row takes in each form of a model, measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from multigraft.records import Arrays

ROUNDS = 3
Answer = Callable[[Arrays], object]


def medians(contenders: Mapping[str, Callable[[], Answer]], batches: Sequence[Arrays]) -> dict[str, float]:
    """Median milliseconds a batch for each contender, in alternating rounds over the same batches.

    A contender is opened anew in each round and closed before the next one: sessions that are open together
    take each other's cores.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, opener in contenders.items():
            answer = opener()
            answer(batches[0])  # the first call allocates
            times[name] += [_seconds(answer, batch) for batch in batches]
            del answer
    return {name: 1000 * float(np.median(seconds)) for name, seconds in times.items()}


def _seconds(answer: Answer, batch: Arrays) -> float:
    started = time.perf_counter()
    answer(batch)
    return time.perf_counter() - started
