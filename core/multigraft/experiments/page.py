"""HTML page of an experiment: the matrix as a heat map, intervals as a forest plot, what failed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from multigraft.contracts.report import Measure
from multigraft.evaluation.report.axes import tick_label, value_axis
from multigraft.evaluation.report.charts import line_chart, range_bar
from multigraft.evaluation.report.numbers import figure, interval
from multigraft.evaluation.report.page import templates
from multigraft.evaluation.statistics import Estimate
from multigraft.experiments.efficiency import curves
from multigraft.experiments.folder import PAGE
from multigraft.experiments.opening import Experiment
from multigraft.experiments.overview import BESIDE, TRANSFER, failures, report_of, told
from multigraft.experiments.summary import Point, Summary
from multigraft.experiments.transfer import Transfer, transfers
from multigraft.system.about import __version__


@dataclass(frozen=True)
class Shade:
    """A square of a heat map."""

    value: str
    interval: str
    share: float
    """How deep its colour is, from 0 to 1."""
    said: str
    own: bool
    negative: bool


@dataclass(frozen=True)
class HeatMap:
    """Sources (lines) by targets."""

    title: str
    targets: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Shade | None, ...]], ...]


@dataclass(frozen=True)
class Line:
    """A line of a forest plot."""

    name: str
    value: str
    bar: Markup


@dataclass(frozen=True)
class Forest:
    """The intervals of several groups of cells on one axis."""

    title: str
    lines: tuple[Line, ...]
    low: str
    high: str


def write_page(found: Experiment) -> None:
    """Write ``report.html``, whole or not at all. Raises OSError."""
    path = found.folder / PAGE
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(render(found), encoding="utf-8")
    unfinished.replace(path)


def render(found: Experiment) -> str:
    """The page as text."""
    summary, report = Summary(found), report_of(found)
    template = templates("experiments").get_template("experiment.html.j2")
    return template.render(
        version=__version__,
        report=report,
        metric=str(summary.metric),
        maps=list(heat_maps(summary)),
        forests=list(forests(summary)),
        tables={name: report.tables[name] for name in (TRANSFER, BESIDE) if name in report.tables},
        chart=_chart(summary),
        failed=failures(found),
    )


def heat_maps(summary: Summary) -> Iterator[HeatMap]:
    """A map for each combination of what varies besides the data, all on one scale of colour."""
    found = transfers(summary)
    values = [each.estimate.value for each in found]
    sources = {each.source for each in found}
    if len(sources) < 2 or len(summary.domains) < 2:
        return
    for name, some in groupby(sorted(found, key=_name), _name):
        lines = [
            (source, _shades(summary, list(line), values))
            for source, line in groupby(some, lambda each: each.source)
        ]
        title = f"{summary.metric}: {name}" if name else str(summary.metric)
        yield HeatMap(title, tuple(summary.domains), tuple(lines))


def _name(each: Transfer) -> str:
    return each.group.name


def _shades(
    summary: Summary, line: Sequence[Transfer], values: Sequence[float]
) -> tuple[Shade | None, ...]:
    by_target = {each.target: each for each in line}
    return tuple(
        _shade(by_target[target], values) if target in by_target else None
        for target in summary.domains
    )


def _shade(each: Transfer, values: Sequence[float]) -> Shade:
    low, high = min(values), max(values)
    share = (each.estimate.value - low) / (high - low) if high > low else 0.5
    value, ends = _parts(each.estimate)
    more = [
        f"minus {name} {told(gap)}"
        for name, gap in (("its own model", each.over_own), ("scratch", each.over_scratch))
        if gap is not None
    ]
    return Shade(
        value=value,
        interval=ends,
        share=0.05 + 0.85 * (share if each.greater_is_better else 1 - share),
        said="; ".join([f"{each.source} on {each.target}: {told(each.estimate)}", *more]),
        own=each.source == each.target,
        negative=each.negative,
    )


def forests(summary: Summary) -> Iterator[Forest]:
    """A forest plot for each domain (Lewis & Clarke 2001)."""
    for domain in summary.domains:
        points = [point for point in summary.points if point.domain == domain]
        if points:
            yield _forest(f"{summary.metric} on {domain}", points)


def _forest(title: str, points: Sequence[Point]) -> Forest:
    ends = [end for point in points for end in _ends(point.estimate)]
    axis = value_axis(min(ends), max(ends))
    lines = tuple(
        Line(
            point.group.whole_name,
            told(point.estimate),
            Markup(
                range_bar(
                    point.estimate.value,
                    point.estimate.low,
                    point.estimate.high,
                    start=axis.low,
                    end=axis.high,
                    stretched=True,
                )
            ),
        )
        for point in points
    )
    return Forest(title, lines, tick_label(axis.low), tick_label(axis.high))


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return low, estimate.value, high


def _chart(summary: Summary) -> Markup | None:
    """Label efficiency as curves."""
    series = {
        name: [(float(step.rows), step.estimate.value) for step in steps]
        for name, steps in curves(summary).items()
    }
    if not series:
        return None
    return Markup(line_chart(series, title=str(summary.metric), x_label="training rows"))


def _parts(estimate: Estimate) -> tuple[str, str]:
    measure = Measure(estimate.value, estimate.low, estimate.high)
    return figure(measure), interval(measure)
