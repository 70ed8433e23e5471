"""Forest plot (Lewis & Clarke 2001): intervals of systems, or of their differences, on one axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from multigraft.evaluation.report.axes import tick_label, value_axis
from multigraft.evaluation.report.charts import range_bar
from multigraft.evaluation.statistics import Estimate
from multigraft.experiments.leaderboard import Leaderboard
from multigraft.experiments.summary import Group, Summary
from multigraft.experiments.written import p_value, told


@dataclass(frozen=True)
class Line:
    """A line of a forest plot."""

    name: str
    value: str
    bar: Markup


@dataclass(frozen=True)
class Forest:
    """The intervals of several systems on one axis."""

    title: str
    lines: tuple[Line, ...]
    low: str
    high: str


Named = tuple[str, Estimate, str]
"""What a line is called, its estimate, and what is said behind that."""


def forests(summary: Summary) -> Iterator[Forest]:
    """The metric of every group of cells, a plot for each domain."""
    for domain in summary.domains:
        points = [point for point in summary.points if point.domain == domain]
        if points:
            named = [(each.group.whole_name, each.estimate, "") for each in points]
            yield forest(f"{summary.metric} on {domain}", named)


def average_differences(board: Leaderboard) -> Forest | None:
    """Every system minus the best, averaged over all that they were measured on."""
    best = next(iter(board.entries)).name
    named = [
        (each.name, each.difference, _p(each.adjusted))
        for each in board.entries
        if each.difference is not None
    ]
    where = "" if len(board.pairs) == 1 else f", averaged over {len(board.pairs)} pairs"
    title = f"{board.metric} minus that of {best}{where}"
    return forest(title, named, zero=True) if named else None


def differences(summary: Summary) -> Iterator[Forest]:
    """What was learned from the same data, minus the best of it, a plot for each domain."""
    by_data: dict[str | None, list[Group]] = {}
    for group in summary.groups:
        by_data.setdefault(group.data, []).append(group)
    for data, groups in by_data.items():
        for domain in summary.domains:
            standings = summary.standings(groups, domain)
            named = [
                (each.name.removeprefix(f"{data}, "), each.difference, _p(each.adjusted))
                for each in standings
                if each.difference is not None
            ]
            if named:
                best = standings[0].name.removeprefix(f"{data}, ")
                source = "" if data is None else f"{data} on "
                title = f"{source}{domain}: {summary.metric} minus that of {best}"
                yield forest(title, named, zero=True)


def forest(title: str, named: Sequence[Named], *, zero: bool = False) -> Forest:
    """Estimates on one axis, which holds 0 where they are differences."""
    ends = [end for _, estimate, _ in named for end in _ends(estimate)]
    axis = value_axis(*_stretch([*ends, 0.0] if zero else ends))
    lines = tuple(
        Line(name, f"{told(estimate)}{more}", _bar(estimate, axis.low, axis.high, zero=zero))
        for name, estimate, more in named
    )
    return Forest(title, lines, tick_label(axis.low), tick_label(axis.high))


def _bar(estimate: Estimate, low: float, high: float, *, zero: bool) -> Markup:
    return Markup(
        range_bar(
            estimate.value,
            estimate.low,
            estimate.high,
            start=low,
            end=high,
            stretched=True,
            mark=0.0 if zero else None,
        )
    )


def _stretch(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return low, estimate.value, high


def _p(adjusted: float | None) -> str:
    return "" if adjusted is None else f", p {p_value(adjusted)}"
