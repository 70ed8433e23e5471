"""Compare runs by their metrics on the same rows: which is best, and is the difference real."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from multigraft.contracts.numbers import figure, interval, percent
from multigraft.contracts.report import Report
from multigraft.contracts.report_view import beside, differing_columns, view_of
from multigraft.errors import RunError, did_you_mean
from multigraft.evaluation.report.formats import FORMATS
from multigraft.evaluation.statistics import Estimate, Standing, System, compare_systems
from multigraft.recipe import Recipe
from multigraft.runs.candidates import (
    Candidate,
    candidate,
    check_alike,
    evaluated,
    group_of,
    grouped,
    listed,
    names_of,
)
from multigraft.runs.row_results import RowResults
from multigraft.system.notebook import page_part

LOWER = re.compile(r"(^|_)(loss|error|wer|cer|perplexity|rmse|mae|mse|rate)$")
"""Metrics, other than the one that a task is judged by, of which less is better."""
ALPHA, POWER = 0.05, 0.8
"""At which level a difference is found, and how often one that a note calls large enough is."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One line of a comparison: a run, or the runs of several seeds as one."""

    name: str
    folders: tuple[str, ...]
    seeds: tuple[int, ...]
    backbone: str
    strategy: str
    estimate: Estimate
    difference: Estimate | None
    """To the reference; None: it is the reference."""
    adjusted: float | None
    """The difference's p-value by Holm."""


@dataclass(frozen=True, kw_only=True, repr=False)
class MetricComparison:
    """Runs beside each other by one metric on the same rows, the best first."""

    task: str
    data: str
    metric: str
    greater: bool
    rows: int
    confidence: float
    reference: str
    chosen: bool
    """Whether the reference is the best that was found, and not one that was named."""
    runs: tuple[Compared, ...]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    def table(self) -> tuple[tuple[str, ...], ...]:
        """As rows of cells, the heading first."""
        heading = ("run", "backbone", "strategy", "seeds", self.metric)
        gaps = (f"difference to {self.reference}", "interval", "p", "p (Holm)", "method")
        return ((*heading, "interval", *gaps), *map(_cells, self.runs))

    def short_table(self) -> tuple[tuple[str, ...], ...]:
        """The same without what takes up width: intervals stand beside their figures."""
        heading = ("run", "seeds", self.metric, f"difference to {self.reference}", "p (Holm)")
        return (heading, *map(_short_cells, self.runs))

    def to(self, form: str) -> str:
        """As text: ``markdown``, ``latex`` or ``csv``. Raises RunError for another form."""
        if form not in FORMATS:
            raise RunError(f"a comparison has no form {form!r}; {did_you_mean(form, FORMATS)}")
        return FORMATS[form](self.table())

    def __str__(self) -> str:
        return self.to("markdown")

    def __repr__(self) -> str:
        told = ", ".join(f"{each.name} {beside(each.estimate.measure)}" for each in self.runs)
        return f"<MetricComparison by {self.metric} on {self.data}: {told}>"

    def _repr_html_(self) -> str:
        told = differing_columns(self.table(), without=("p", "method"))
        return page_part(view_of(replace(self.report(), tables={"the best first": told})))

    @property
    def _family(self) -> str:
        """How many tests the p-values are adjusted for."""
        runs = len(self.runs)
        if runs == 2:
            return "nothing: there is one difference"
        if self.chosen:
            return f"all {runs * (runs - 1) // 2} pairs, since these rows chose the best"
        return f"the {runs - 1} differences to the baseline"

    @property
    def _methods(self) -> list[str]:
        found = (each.difference.method for each in self.runs if each.difference is not None)
        return list(dict.fromkeys(found))

    def report(self) -> Report:
        """As a terminal shows it."""
        return Report(
            verb="compare",
            title=f"{self.task} on {self.data}",
            tables={"the best first": self.short_table()},
            facts={
                "rows": str(self.rows),
                "metric": f"{self.metric}, {'more' if self.greater else 'less'} is better",
                "intervals": percent(str(self.confidence)),
                "p (Holm)": f"adjusted for {self._family}",
                "tests": "; ".join(self._methods),
            },
            notes=self.notes,
        )


def compare_metrics(
    folders: Sequence[str | Path],
    *,
    baseline: str | Path | None = None,
    metric: str | None = None,
    data: str | None = None,
    confidence: float = 0.95,
) -> MetricComparison:
    """Compare evaluated runs by ``metric`` (the one that their task is judged by), on their own
    rows or on other ``data`` by the name that `evaluate` kept it under. A folder alone, of
    runs, stands for those in it that were evaluated so.

    Runs that differ by the seed alone are one line. Differences are to the ``baseline``, one of
    the runs, or else to the best. Raises RunError where tasks or rows differ, or a run was not
    evaluated.
    """
    given = [Path(folder) for folder in dict.fromkeys(map(str, folders))]
    candidates = [candidate(folder, data) for folder in evaluated(given, data)]
    if len(candidates) < 2:
        raise RunError(f"found {len(candidates)} run; give at least two runs to compare")
    check_alike(candidates)
    name = _metric(candidates, metric)
    groups = grouped(candidates)
    named = dict(zip(names_of(groups), groups, strict=True))
    if len(named) < 2:
        raise RunError(
            f"{listed(candidates)}: differ by the seed alone, so they are one; give at least two "
            "runs that differ otherwise too"
        )
    reference = None if baseline is None else group_of(Path(baseline), named)
    first = candidates[0].results
    greater = _greater(first, name)
    count = min(len(each.results.draws[name]) for each in candidates)
    systems = [_system(each, group, name, count) for each, group in named.items()]
    standings = compare_systems(
        systems, reference=reference, greater=greater, confidence=confidence
    )
    return MetricComparison(
        task=first.task,
        data=data or first.data,
        metric=name,
        greater=greater,
        rows=len(first.identities),
        confidence=confidence,
        reference=next(each.name for each in standings if each.difference is None),
        chosen=reference is None,
        runs=tuple(_compared(each, named[each.name]) for each in standings),
        notes=tuple(_notes(named, standings)),
    )


def _metric(candidates: Sequence[Candidate], wanted: str | None) -> str:
    """The metric that is compared. Raises RunError for one that a run does not have."""
    name = wanted or candidates[0].results.metric
    for each in candidates:
        if name not in each.results.values:
            hint = did_you_mean(name, each.results.values)
            raise RunError(f"{each.folder}: has no metric {name!r}; {hint}")
    return name


def _greater(results: RowResults, name: str) -> bool:
    """Whether more of a metric is better: as the task says of its own, and that of its groups."""
    own = results.metric
    if name in (own, f"worst_group_{own}") or name.startswith(f"{own} of "):
        return results.greater
    return LOWER.search(name) is None


def _system(name: str, group: Sequence[Candidate], metric: str, count: int) -> System:
    """A group's metric, and what it is on the first ``count`` resamples."""
    results = [each.results for each in group]
    right, value = results[0].right, results[0].values[metric]
    share = len(group) == 1 and right is not None and abs(right.mean() - value) < 1e-9
    return System(
        name=name,
        values=np.array([each.values[metric] for each in results]),
        draws=np.stack([each.draws[metric][:count] for each in results]),
        rows=len(results[0].identities),
        right=right.astype(float) if right is not None and share else None,
    )


def _compared(standing: Standing, group: Sequence[Candidate]) -> Compared:
    recipe = Recipe.parse(group[0].recipe) if group[0].recipe else None
    return Compared(
        name=standing.name,
        folders=tuple(str(each.folder) for each in group),
        seeds=tuple(int(each.facts.get("seed", 0)) for each in group),
        backbone=str(group[0].facts.get("backbone", "")),
        strategy="" if recipe is None else recipe.strategy_name,
        estimate=standing.estimate,
        difference=standing.difference,
        adjusted=standing.adjusted,
    )


def _notes(
    named: Mapping[str, Sequence[Candidate]], standings: Sequence[Standing]
) -> Iterator[str]:
    for name, group in named.items():
        if len(group) > 1:
            seeds = ", ".join(str(each.facts.get("seed")) for each in group)
            yield (
                f"{name}: {len(group)} runs that differ by the seed alone (seeds {seeds}) are one "
                "line, with an interval for other rows and other seeds"
            )
    single = [name for name, group in named.items() if len(group) == 1]
    if single:
        yield (
            f"{', '.join(single)}: one seed, so nothing is said of what another seed would change; "
            "train three seeds or more to judge a backbone or a strategy"
        )
    if any(len(group) == 2 for group in named.values()):
        yield "of two seeds that lie far apart an interval holds the truth in 88% rather than 95%"
    if len({each.results.asked for group in named.values() for each in group}) > 1:
        yield "not all runs were asked the same (--ask); the differences hold that too"
    yield from _reach(standings)


def _reach(standings: Sequence[Standing]) -> Iterator[str]:
    """What difference these rows and seeds would have shown, where one was not."""
    unsure = [
        each.difference
        for each in standings
        if each.difference is not None and each.adjusted is not None and each.adjusted > ALPHA
    ]
    errors = [_error(each) for each in unsure if each.low is not None]
    if errors:
        normal = NormalDist()
        least = (normal.inv_cdf(1 - ALPHA / 2) + normal.inv_cdf(POWER)) * max(errors)
        yield (
            f"a difference below about {least:.2g} would mostly not be found here: its power is "
            f"below {POWER:.0%} before Holm's adjustment; more rows or seeds would show less"
        )


def _error(found: Estimate) -> float:
    """The standard error that an interval was made of, by the normal distribution."""
    assert found.low is not None
    assert found.high is not None
    return (found.high - found.low) / 2 / NormalDist().inv_cdf((1 + found.confidence) / 2)


def _cells(run: Compared) -> tuple[str, ...]:
    own, seeds = run.estimate.measure, " ".join(map(str, run.seeds))
    first = (run.name, run.backbone, run.strategy, seeds, figure(own), interval(own))
    if run.difference is None:
        return (*first, "", "", "", "", "")
    gap = run.difference.measure
    told = (figure(gap), interval(gap), _p(run.difference.p), _p(run.adjusted))
    return (*first, *told, run.difference.method)


def _short_cells(run: Compared) -> tuple[str, ...]:
    gap = "" if run.difference is None else beside(run.difference.measure)
    seeds = " ".join(map(str, run.seeds))
    return run.name, seeds, beside(run.estimate.measure), gap, _p(run.adjusted)


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2g}" if value >= 0.001 else "<0.001"
