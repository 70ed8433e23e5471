"""Comparison of systems on the same rows: intervals, paired differences, Holm-adjusted p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from multigraft.evaluation.statistics.bootstrap import mean_draws, measured
from multigraft.evaluation.statistics.estimate import Estimate, matrix
from multigraft.evaluation.statistics.families import holm
from multigraft.evaluation.statistics.means import (
    Part,
    combined,
    freedom,
    half_width,
    row_variance,
    variances,
)
from multigraft.evaluation.statistics.paired import mcnemar, t_p


@dataclass(frozen=True, kw_only=True)
class System:
    """A system: one training, or several that differ by their seeds, on rows that all share."""

    name: str
    values: np.ndarray
    """[seeds]: the metric of each training on all rows."""
    draws: np.ndarray
    """[seeds, resamples]: the same on resamples of rows, which all systems share."""
    rows: int
    right: np.ndarray | None = None
    """[rows] of one training, 1 or 0, where the metric is their mean: McNemar's test is used."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A system beside the reference."""

    name: str
    estimate: Estimate
    difference: Estimate | None = None
    """The system's metric minus the reference's; None: it is the reference."""
    adjusted: float | None = None
    """The difference's p-value by Holm, over all that were tested together."""


def system_of(
    name: str, scores: Sequence[Sequence[float]] | np.ndarray, *, count: int = 2000, seed: int = 0
) -> System:
    """A system whose metric is the mean of scores [seeds, rows]. Systems that are compared need the
    same ``count`` and ``seed``.

    Raises ValueError for another shape, or scores that are no finite numbers.
    """
    found = matrix(scores, least=1, what="scores")
    truths = len(found) == 1 and bool(np.isin(found, (0, 1)).all())
    return System(
        name=name,
        values=found.mean(1),
        draws=mean_draws(found, count=count, seed=seed),
        rows=found.shape[1],
        right=found[0] if truths else None,
    )


def compare_systems(
    systems: Sequence[System],
    *,
    reference: str | None = None,
    greater: bool = True,
    confidence: float = 0.95,
) -> list[Standing]:
    """Each system with its interval, the best first, and its difference to the ``reference``, the
    best where None is given.

    A reference that is named before the data are seen makes one family of as many tests as there
    are other systems. The best is chosen by the data: then every pair counts as tested (Holm 1979),
    or the luck that made it the best would pass for a difference. ``greater`` says whether larger
    values are better. Raises ValueError for systems that cannot be compared.
    """
    _check(systems, reference)
    ordered = sorted(systems, key=lambda each: float(each.values.mean()), reverse=greater)
    base = next((each for each in ordered if each.name == reference), ordered[0])
    others = [each for each in ordered if each is not base]
    gaps = [difference_of(each, base, confidence=confidence) for each in others]
    among = combinations(others, 2) if reference is None else ()
    family = [*gaps, *(difference_of(one, other) for one, other in among)]
    adjusted = holm([1.0 if each.p is None else each.p for each in family]).tolist()
    found = dict(
        zip((each.name for each in others), zip(gaps, adjusted, strict=False), strict=True)
    )
    return [_standing(each, found.get(each.name), confidence) for each in ordered]


def _standing(system: System, found: tuple[Estimate, float] | None, confidence: float) -> Standing:
    difference, adjusted = found or (None, None)
    return Standing(
        name=system.name,
        estimate=estimate_of(system, confidence=confidence),
        difference=difference,
        adjusted=adjusted,
    )


def estimate_of(system: System, *, confidence: float = 0.95) -> Estimate:
    """The metric of a system: over rows for one training, over rows and seeds for several."""
    if len(system.values) > 1:
        return combined(system.values, system.draws, rows=system.rows, confidence=confidence)
    value = float(system.values[0])
    measure = measured(value, system.draws[0], confidence)
    return Estimate(
        method="bias-corrected percentile bootstrap over rows",
        value=value,
        low=measure.low,
        high=measure.high,
        n=system.rows,
        confidence=confidence,
    )


def difference_of(first: System, second: System, *, confidence: float = 0.95) -> Estimate:
    """First minus second: McNemar's test where rows of two trainings are right or wrong; else
    Student's t, its variance over rows from shared resamples, and over seeds from each system's
    own (Welch 1947)."""
    if first.right is not None and second.right is not None:
        return mcnemar(first.right, second.right, confidence=confidence)
    value = float(first.values.mean() - second.values.mean())
    parts = _parts(first, second)
    half = half_width(parts, confidence)
    seeds = min(len(first.values), len(second.values))
    several = max(len(first.values), len(second.values)) > 1
    return Estimate(
        method="paired bootstrap over rows with Student's t" + (" over seeds" if several else ""),
        value=value,
        low=value - half,
        high=value + half,
        p=t_p(value, math.sqrt(sum(part for part, _ in parts)), freedom(parts)),
        n=first.rows,
        seeds=seeds,
        confidence=confidence,
    )


def _parts(first: System, second: System) -> list[Part]:
    """The variance of a difference: by the rows of both together, and by the seeds of each."""
    gaps = first.draws.mean(0) - second.draws.mean(0)
    rows = row_variance(gaps, rows=first.rows)
    seeds = (variances(each.values, each.draws, rows=each.rows)[1:] for each in (first, second))
    return [rows, *(part for each in seeds for part in each)]


def _check(systems: Sequence[System], reference: str | None) -> None:
    names = [each.name for each in systems]
    if len(systems) < 2 or len(set(names)) < len(names):
        raise ValueError(f"found {', '.join(names)}: two systems or more, each with its own name")
    if reference is not None and reference not in names:
        raise ValueError(f"reference {reference!r} is none of {', '.join(names)}")
    if len({(each.rows, each.draws.shape[1]) for each in systems}) > 1:
        raise ValueError("systems differ in rows or in resamples; measure all on the same")
