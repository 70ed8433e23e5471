"""Latency: how long each form of a model takes on this machine, alone and in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays

ROUNDS = 3
PATIENCE = 20.0
"""Seconds after which a contender gets no further round."""
LONG = 0.5
"""Seconds from which on a batch is timed once: momentary noise evens out over so long."""
SIZES = (1, 4, 8, 16, 32)
ALONE = 4
"""How many rows are timed alone."""
Answer = Callable[[Arrays], object]
Opener = Callable[[], Answer]


@dataclass(frozen=True)
class Timed:
    """One batch that every contender computes."""

    rows: int
    length: int
    """Of its longest row, as `Reader.length` counts."""
    arrays: Arrays


def trial(rows: Sequence[Arrays], reader: Reader) -> list[Timed]:
    """Pick rows alone, shortest to longest, and a batch of middling rows for each of `SIZES`."""
    ordered = sorted(rows, key=reader.length)
    places = np.linspace(0, len(ordered) - 1, min(ALONE, len(ordered))).round().astype(int)
    groups = [[ordered[place]] for place in places] + [_middle(ordered, size) for size in SIZES[1:]]
    return [
        Timed(len(group), reader.length(group[-1]), collate(group, reader.fills))
        for group in groups
    ]


def _middle(ordered: Sequence[Arrays], size: int) -> list[Arrays]:
    """``size`` rows around the middle; too few rows are repeated."""
    count = len(ordered)
    start = max(0, (count - size) // 2)
    return [ordered[start + place * min(size, count) // size] for place in range(size)]


def medians(
    contenders: Mapping[str, Opener], batches: Sequence[Timed]
) -> dict[str, dict[int, float]]:
    """Median milliseconds of a batch by its rows for each contender, in alternating rounds.

    A contender is opened anew in each round and closed before the next one: sessions that are open
    together take each other's cores.
    """
    times: dict[str, list[list[float]]] = {name: [[] for _ in batches] for name in contenders}
    spent = dict.fromkeys(contenders, 0.0)
    for _ in range(ROUNDS):
        for name, opener in contenders.items():
            if spent[name] <= PATIENCE:
                began = time.perf_counter()
                _take_round(opener, batches, times[name])
                spent[name] += time.perf_counter() - began
    return {name: _by_size(batches, measured) for name, measured in times.items()}


def a_row(times: Mapping[int, float]) -> float:
    """Milliseconds a row, between one alone and the best batch: the geometric mean of the two."""
    return float(np.sqrt(times[1] * min(each / size for size, each in times.items())))


def best_size(times: Mapping[int, float]) -> int:
    """The rows of a batch that take the least time a row."""
    return min(times, key=lambda size: times[size] / size)


def _take_round(opener: Opener, batches: Sequence[Timed], times: Sequence[list[float]]) -> None:
    """Add the seconds of each batch, but of those that took long before, to its list."""
    due = [
        (batch, known)
        for batch, known in zip(batches, times, strict=True)
        if not known or known[-1] < LONG
    ]
    if not due:
        return
    answer = opener()
    answer(batches[0].arrays)  # the first call allocates
    for batch, known in due:
        known.append(_seconds(answer, batch.arrays))


def _by_size(batches: Sequence[Timed], times: Sequence[Sequence[float]]) -> dict[int, float]:
    """Milliseconds by batch size: the median of the medians of batches of that size."""
    found: dict[int, list[float]] = {}
    for batch, known in zip(batches, times, strict=True):
        found.setdefault(batch.rows, []).append(float(np.median(known)))
    return {size: round(1000 * float(np.median(each)), 4) for size, each in found.items()}


def _seconds(answer: Answer, batch: Arrays) -> float:
    started = time.perf_counter()
    answer(batch)
    return time.perf_counter() - started
