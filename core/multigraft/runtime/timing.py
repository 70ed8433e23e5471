"""Time the graphs of a bundle on this machine, by batch and length."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.errors import BundleError
from multigraft.runtime.branches import whole_session
from multigraft.runtime.bundle import Bundle, Port
from multigraft.runtime.session import Session

PATIENCE = 2.0
"""Seconds for one shape in one round; a slow one gets fewer calls, but three."""
FEWEST_CALLS = 3

Answer = Callable[[Mapping[str, np.ndarray]], object]
Opener = Callable[[], Answer]


@dataclass(frozen=True)
class Shape:
    """A batch to time."""

    batch: int
    length: int | None
    """Of each row, along every axis that varies; None where every row has the same size."""


@dataclass(frozen=True)
class Timing:
    """Time that one contender took for one shape."""

    name: str
    batch: int
    length: int | None
    p50: float
    """Milliseconds of a batch, the median."""
    p95: float
    rows_per_second: float
    """At the median."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def shapes(bundle: Bundle, batches: Sequence[int], lengths: Sequence[int] | None) -> list[Shape]:
    """Every batch at every length; unset, the lengths are that of a middling row and half of it.

    Raises BundleError where lengths are given for rows that all have one size, and for a bundle
    that generates.
    """
    if bundle.generation is not None:
        raise BundleError(
            f"a bundle of task {bundle.task!r} writes token by token, which is not timed here; "
            "what a token took where it was exported is in its bundle.json (milliseconds)"
        )
    middling = row_length(bundle)
    if middling is None:
        if lengths:
            raise BundleError("every row of this bundle has the same size; leave out the lengths")
        return [Shape(batch, None) for batch in batches]
    chosen = lengths or sorted({max(1, middling // 2), middling})
    return [Shape(batch, length) for length in chosen for batch in batches]


def row_length(bundle: Bundle) -> int | None:
    """The length of the row that the bundle gives as a sample; None where rows have one size."""
    if not bundle.sample:
        raise BundleError("the bundle does not say how large a row is; export it again")
    for port in bundle.inputs:
        for axis, size in enumerate(port.shape[1:], start=1):
            if isinstance(size, str):
                return bundle.sample[port.name][axis]
    return None


Sizes = Mapping[str, tuple[int | None, ...]]
"""The shape of a row's arrays; None is an axis that varies."""


def sizes_of(ports: Sequence[Port]) -> Sizes:
    """Sizes of a row that a graph reads."""
    return {
        port.name: tuple(axis if isinstance(axis, int) else None for axis in port.shape[1:])
        for port in ports
    }


def feed(sizes: Sizes, dtypes: Mapping[str, str], shape: Shape) -> Arrays:
    """Ones, as many as a shape asks for: time does not depend on the values."""
    return {
        name: np.ones(
            (shape.batch, *(axis or shape.length or 1 for axis in size)), dtype=dtypes[name]
        )
        for name, size in sizes.items()
    }


def opener(bundle: Bundle, folder: Path, precision: str, *, threads: int | None) -> Opener:
    """Opens a precision's graphs when its turn comes: sessions open at once take each other's
    cores."""
    entry = bundle.precisions[precision]

    def opened() -> Answer:
        main = Session(folder / str(entry.file), threads=threads)
        roles = {
            role: Session(folder / name, threads=threads) for role, name in entry.graphs.items()
        }
        return whole_session(bundle, main, roles, folder).run

    return opened


def time_all(
    contenders: Mapping[str, Opener], feeds: Mapping[Shape, Arrays], *, rounds: int, calls: int
) -> list[Timing]:
    """Every contender on every shape, by turns; a contender is opened anew in each round."""
    seconds: dict[tuple[str, Shape], list[float]] = {}
    for _ in range(rounds):
        for name, open_it in contenders.items():
            answer = open_it()
            for shape, arrays in feeds.items():
                seconds.setdefault((name, shape), []).extend(_calls(answer, arrays, calls))
            del answer
    return [_timing(name, shape, found) for (name, shape), found in seconds.items()]


def _calls(answer: Answer, arrays: Arrays, calls: int) -> list[float]:
    answer(arrays)  # the first call of a shape allocates
    found: list[float] = []
    while len(found) < calls and (len(found) < FEWEST_CALLS or sum(found) < PATIENCE):
        started = time.perf_counter()
        answer(arrays)
        found.append(time.perf_counter() - started)
    return found


def _timing(name: str, shape: Shape, seconds: Sequence[float]) -> Timing:
    median, late = np.percentile(seconds, [50, 95])
    rate = round(shape.batch / float(median), 2)
    return Timing(
        name,
        shape.batch,
        shape.length,
        round(1000 * float(median), 4),
        round(1000 * float(late), 4),
        rate,
    )
