"""Rounds of ours and theirs by turns, and the ratio of their medians."""

from __future__ import annotations

import gc
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Mode = Literal["full", "quick", "smoke"]
CACHE = "MULTIGRAFT_CACHE"
UP = ("rows/s",)
"""The units of which more is better; of any other (s, ms, MB) less is."""


POINTS = 0.02
"""How much lower our quality may be where that may be chance; the held-out rows are as many as show
it."""


@dataclass(frozen=True)
class Turn:
    """One side's go in one round."""

    number: int
    """The round, from 0; what is random in the turn takes it as its seed."""
    warm: bool
    """Whether the turn only warms up: do the same on few rows."""
    folder: Path
    """Empty, and removed after the turn."""


@dataclass(frozen=True)
class Sample:
    """What one turn measured."""

    value: float
    """In the case's unit."""
    quality: float | None = None
    """What must be equal on both sides for the speed to count: accuracy on held-out rows, 0 to
    1."""
    facts: Mapping[str, float] = field(default_factory=dict)
    """Further numbers; their medians are shown in the table's notes."""
    held_out: int = 0
    """The rows behind ``quality``; each round measures the same ones."""


Side = Callable[[Turn], Sample]


@dataclass(frozen=True)
class Bar:
    """What is aimed at, in words and as a check of a case's figures."""

    text: str
    met: Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table: the same work done by us and by the other."""

    name: str
    work: str
    other: str
    unit: str
    ours: Side
    theirs: Side
    rounds: int
    bar: Bar | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What a reader needs to repeat it, as JSON."""
    warm: bool = True
    """Whether each side has a turn that does not count first."""
    together: bool = False
    """Whether our turn measures both sides step by step, so that theirs only hands over its half
    after it."""


def at_least(ratio: float) -> Bar:
    """Ours is better by this factor.

    >>> at_least(4.0).met({"ratio": {"value": 3.9}})
    False
    """
    return Bar(f">= {ratio:g}x", lambda figures: bool(figures["ratio"]["value"] >= ratio))


def below(value: float, unit: str) -> Bar:
    """Our median itself is at most this."""
    return Bar(f"<= {value:g} {unit}", lambda figures: bool(figures["ours"]["median"] <= value))


def measure(case: Case) -> dict[str, Any]:
    """Run a case's rounds, ours first in even ones and theirs first in odd ones; its figures as
    JSON."""
    sides = {"ours": case.ours, "theirs": case.theirs}
    samples: dict[str, list[Sample]] = {name: [] for name in sides}
    if case.warm:
        for side in sides.values():
            _go(side, 0, warm=True)
    for number in range(case.rounds):
        for name in list(sides) if number % 2 == 0 or case.together else reversed(sides):
            samples[name].append(_go(sides[name], number, warm=False))
    return figures(case, samples)


def figures(case: Case, samples: Mapping[str, list[Sample]]) -> dict[str, Any]:
    """Medians of both sides, their ratio (above 1: ours is better), and whether the bar is met."""
    values = {name: [sample.value for sample in side] for name, side in samples.items()}
    found: dict[str, Any] = {
        "work": case.work,
        "other": case.other,
        "unit": case.unit,
        "rounds": case.rounds,
        "settings": dict(case.settings),
        **{name: _side(side) for name, side in samples.items()},
        "ratio": _ratios(values["ours"], values["theirs"], more=case.unit in UP),
    }
    qualities = {name: side["quality"] for name, side in found.items() if name in samples}
    found["void"] = None
    if all(qualities.values()):
        apart = difference(samples["ours"], samples["theirs"])
        found["quality"] = {**qualities, "difference": apart}
        found["void"] = void(apart)
    met = case.bar is not None and found["void"] is None and case.bar.met(found)
    return {**found, "bar": case.bar.text if case.bar else None, "met": met if case.bar else None}


def interval(values: list[float]) -> dict[str, float | int | None]:
    """The mean of a few rounds with Student's 95% interval, kept within 0 and 1; without one for
    one round.

    >>> interval([0.9, 0.9, 0.9])
    {'mean': 0.9, 'low': 0.9, 'high': 0.9, 'rounds': 3}
    """
    mean, count = round(statistics.fmean(values), 6), len(values)
    if count < 2:
        return {"mean": mean, "low": None, "high": None, "rounds": count}
    from multigraft.evaluation.statistics import student

    found = student(values)
    return {
        "mean": mean,
        "low": max(0.0, round(found.low or 0.0, 6)),
        "high": min(1.0, round(found.high or 0.0, 6)),
        "rounds": count,
    }


def difference(ours: Sequence[Sample], theirs: Sequence[Sample]) -> dict[str, float | None]:
    """Our mean quality less the other's, with a 95% interval; without one where no side says its
    rows.

    Two things are drawn: the held-out rows, the same in every round (the variance of two shares of
    them, as though they were independent), and what the seeds of the rounds change (the variance of
    their mean).
    """
    pairs = [
        (own.quality or 0.0, other.quality or 0.0) for own, other in zip(ours, theirs, strict=True)
    ]
    apart = [own - other for own, other in pairs]
    mean, rows = statistics.fmean(apart), min(sample.held_out for sample in (*ours, *theirs))
    if not rows:
        return {"mean": mean, "low": None, "high": None}
    shares = [statistics.fmean(side) for side in zip(*pairs, strict=True)]
    variance = sum(share * (1 - share) for share in shares) / rows
    if len(apart) > 1:
        variance += statistics.variance(apart) / len(apart)
    half = 1.96 * math.sqrt(variance)
    return {"mean": mean, "low": mean - half, "high": mean + half}


def void(apart: Mapping[str, float | None]) -> str | None:
    """Why a ratio does not count, whatever it is; None where it does.

    >>> void({"mean": -0.03, "low": -0.07, "high": 0.01})
    'quality 3.0 points lower'
    >>> void({"mean": -0.01, "low": -0.03, "high": 0.01})
    >>> void({"mean": -0.01, "low": -0.015, "high": -0.005})
    'quality 1.0 points lower'
    """
    mean, high = apart["mean"] or 0.0, apart["high"]
    if mean < -POINTS or (high is not None and high < 0):
        return f"quality {-100 * mean:.1f} points lower"
    return None


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    """Append the seconds that the body took to the list it is given."""
    seconds: list[float] = []
    started = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - started)


def _go(side: Side, number: int, *, warm: bool) -> Sample:
    """One turn in a folder of its own, with a cache of its own, so that nothing is carried over."""
    folder = Path(tempfile.mkdtemp(prefix="multigraft-bench-"))
    before = os.environ.get(CACHE)
    os.environ[CACHE] = str(folder / "cache")
    (folder / "cache").mkdir()
    (folder / "work").mkdir()
    try:
        gc.collect()
        return side(Turn(number, warm, folder / "work"))
    finally:
        if before is None:
            del os.environ[CACHE]
        else:
            os.environ[CACHE] = before
        shutil.rmtree(folder, ignore_errors=True)


def _side(samples: list[Sample]) -> dict[str, Any]:
    values = [sample.value for sample in samples]
    qualities = [sample.quality for sample in samples if sample.quality is not None]
    names = dict.fromkeys(name for sample in samples for name in sample.facts)
    return {
        "median": statistics.median(values),
        "rounds": values,
        "quality": interval(qualities) if len(qualities) == len(samples) else None,
        "facts": {
            name: statistics.median(sample.facts[name] for sample in samples) for name in names
        },
    }


def _ratios(ours: list[float], theirs: list[float], *, more: bool) -> dict[str, float]:
    def ratio(own: float, other: float) -> float:
        return own / other if more else other / own

    rounds = [ratio(own, other) for own, other in zip(ours, theirs, strict=True)]
    return {
        "value": ratio(statistics.median(ours), statistics.median(theirs)),
        "min": min(rounds),
        "max": max(rounds),
    }
