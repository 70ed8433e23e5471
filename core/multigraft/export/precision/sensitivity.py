"""Sensitivity of layers to int8: each alone is ranked by its damage, then the fewest are sought."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar

import numpy as np

from multigraft.contracts.types import Arrays

T = TypeVar("T")
Answer = Callable[[Mapping[str, np.ndarray]], Arrays]
Layers = tuple[str, ...]
RANKING = 0.5
"""The share of the time in which layers are ranked; the rest is for the search."""


@dataclass(frozen=True)
class Deadline:
    """Deadline of a search."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """That many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds; 0 once it is over."""
        return max(0.0, self.at - time.monotonic())


@dataclass(frozen=True)
class Fewest(Generic[T]):
    """The fewest float layers that were found to be enough."""

    floats: Layers
    found: T


def rank(
    layers: Layers, damage: Callable[[Layers], float], *, deadline: Deadline
) -> tuple[list[Layers], list[float]]:
    """Rank groups of layers by the damage each does alone, the worst first.

    ``damage`` is asked for the layers that are int8 while all others are float. Each layer is a
    group of its own where the time allows it; else neighbours are taken together, as many as
    needed.
    """
    started = time.monotonic()
    first = damage(layers[:1])
    seconds = max(time.monotonic() - started, 1e-6)
    affordable = max(2, int(deadline.left / seconds))
    groups = _cut(layers, affordable) if len(layers) > affordable else [(name,) for name in layers]
    found = []
    for group in groups:
        found.append(first if group == layers[:1] else damage(group) if deadline.left else 0.0)
    order = sorted(range(len(groups)), key=lambda place: -found[place])
    return [groups[place] for place in order], [found[place] for place in order]


def fewest(
    groups: Sequence[Layers], trial: Callable[[Layers], T | None], *, deadline: Deadline
) -> Fewest[T] | None:
    """Find the shortest prefix of ``groups`` that is enough, by doubling and bisection.

    ``trial`` gives None where those layers in float are not enough. With every layer in float
    nothing is left to gain, so all groups together are not tried. None: nothing was enough, or the
    time was over.
    """
    too_few, size = 0, 1
    best: Fewest[T] | None = None
    while best is None and size < len(groups) and deadline.left:
        best = _tried(groups[:size], trial)
        too_few, size = (
            (too_few, size) if best else (size, min(2 * size, max(size + 1, len(groups) - 1)))
        )
    enough = size
    while best is not None and enough - too_few > 1 and deadline.left:
        middle = (too_few + enough) // 2
        better = _tried(groups[:middle], trial)
        best, enough, too_few = (better, middle, too_few) if better else (best, enough, middle)
    return best


def noise(answer: Answer, expected: Sequence[Arrays], batches: Sequence[Arrays]) -> float:
    """Quantisation noise: energy of the difference to fp32 as a share of its own (1 / SQNR)."""
    lost = energy = 0.0
    for batch, reference in zip(batches, expected, strict=True):
        outputs = answer(batch)
        for name, array in _floats(reference):
            gap = np.nan_to_num(
                outputs[name].astype(np.float64) - array, nan=1e6, posinf=1e6, neginf=-1e6
            )
            lost += float((gap**2).sum())
            energy += float((array**2).sum())
    return lost / max(energy, 1e-30)


def _floats(outputs: Arrays) -> Iterator[tuple[str, np.ndarray]]:
    for name, array in outputs.items():
        if array.dtype.kind == "f":
            yield name, np.nan_to_num(array.astype(np.float64), posinf=0.0, neginf=0.0)


def _tried(groups: Sequence[Layers], trial: Callable[[Layers], T | None]) -> Fewest[T] | None:
    floats = tuple(name for group in groups for name in group)
    found = trial(floats)
    return None if found is None else Fewest(floats, found)


def _cut(layers: Layers, count: int) -> list[Layers]:
    """At most ``count`` groups of neighbours."""
    bounds = np.linspace(0, len(layers), count + 1).round().astype(int)
    return [layers[low:high] for low, high in pairwise(bounds) if high > low]
