"""Report view: what a notebook shows of a report, and the line that stands for it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from multigraft.contracts.numbers import cost_line, figure, interval, percent
from multigraft.contracts.report import Measure, Report, WorstRow
from multigraft.system.notebook import Cell, Rail, Table, View

PAGE = "report.html"
NOTES, FOLDED = 8, 3
"""More notes than these push the metrics off a screen; then so many are shown, and so many rows of
a list."""
SHORT = 4
"""Metrics in one line."""


def line_of(report: Report) -> str:
    """A report in one line."""
    told = [f"{name} {beside(measure)}" for name, measure in report.metrics.items()]
    more = [f"and {len(told) - SHORT} more"] if len(told) > SHORT else []
    figures = ", ".join([*told[:SHORT], *more])
    return f"<Report {report.verb}: {report.title}{'; ' if figures else ''}{figures}>"


def view_of(report: Report) -> View:
    """A report as a notebook shows it: the metrics first; where there are none the tables."""
    facts = {name: value for name, value in facts_of(report).items() if name != "confidence"}
    floor = report.baseline
    details = {"rows with the largest loss": worst_rows(report.worst)} if report.worst else {}
    tables = dict(_tables(report))
    marks = {} if floor is None else {floor.metric: floor.value}
    metrics = metric_rows(report.metrics, report.facts.get("confidence"), marks)
    return View(
        heading=report.title,
        aside=report.verb if report.cost is None else f"{report.verb}, {cost_line(report.cost)}",
        tables={"": metrics} if metrics else tables,
        notes=folded_notes(report),
        facts={**facts, **report.files},
        folded={**details, **tables} if metrics else details,
    )


def metric_rows(
    metrics: Mapping[str, Measure],
    confidence: str | None = None,
    marks: Mapping[str, float] | None = None,
) -> Table:
    """Metrics as a table; those between 0 and 1 with a line, on which ``marks`` stand."""
    if not metrics:
        return ()
    between = f"{percent(confidence)} interval".strip() if _ranges(metrics) else ""
    lines = any(is_share(name, measure) for name, measure in metrics.items())
    heading = ("metric", "value", *([between] if between else []), *(["0 to 1"] if lines else []))
    rows = [_metric(name, measure, (marks or {}).get(name)) for name, measure in metrics.items()]
    return (heading, *(row[: len(heading)] for row in rows))


def _metric(name: str, measure: Measure, mark: float | None) -> tuple[Cell, ...]:
    told = (name, figure(measure), interval(measure))
    if not is_share(name, measure):
        return (*told, "")
    assert measure.low is not None
    assert measure.high is not None
    return (*told, Rail(measure.value, measure.low, measure.high, mark))


def _ranges(metrics: Mapping[str, Measure]) -> bool:
    return any(interval(measure) for measure in metrics.values())


def is_share(name: str, measure: Measure) -> bool:
    """Whether a measure has an interval, and lies between 0 and 1 by its nature."""
    inside = all(0 <= edge <= 1 for edge in edges(measure))
    return inside and bool(interval(measure)) and not name.endswith("loss")


def edges(measure: Measure) -> tuple[float, float, float]:
    """The interval with the value in it; the value alone where there is none."""
    low = measure.value if measure.low is None else measure.low
    high = measure.value if measure.high is None else measure.high
    return low, measure.value, high


def beside(measure: Measure) -> str:
    """A figure with its interval beside it."""
    between = interval(measure)
    return f"{figure(measure)} [{between}]" if between else figure(measure)


def worst_rows(worst: Sequence[WorstRow]) -> Table:
    """The rows with the largest loss; what no row has is no column."""
    told = {
        "row": [row.place for row in worst],
        "loss": [f"{row.loss:.4g}" for row in worst],
        "expected": [row.expected or "" for row in worst],
        "answered": [row.answered or "" for row in worst],
    }
    kept = {name: cells for name, cells in told.items() if any(cells)}
    return (tuple(kept), *zip(*kept.values(), strict=True))


def folded_notes(report: Report) -> list[str]:
    """The notes; of more than a few the first, how many there are, and where all of them stand."""
    notes = list(report.notes)
    if len(notes) <= NOTES:
        return notes
    folder = report.facts.get("run")
    where = "" if folder is None else f"; all of them: {Path(folder) / PAGE}"
    return [*notes[:FOLDED], f"and {len(notes) - FOLDED} more{where}"]


def folded_rows(rows: Sequence[Sequence[str]], file: str | None) -> Sequence[Sequence[str]]:
    """Of a table whose rows are listed in a file the first."""
    if file is None or len(rows) - 1 <= FOLDED:
        return rows
    return rows[: FOLDED + 1]


def _tables(report: Report) -> Iterator[tuple[str, Sequence[Sequence[str]]]]:
    for name, rows in report.tables.items():
        shown = folded_rows(rows, report.files.get(name))
        yield (name if shown is rows else f"{name}, the first {FOLDED} of {len(rows) - 1}"), shown


def differing_columns(
    rows: Sequence[Sequence[str]], *, without: Sequence[str] = ()
) -> tuple[tuple[str, ...], ...]:
    """A table without the columns whose cells are all the same, and ``without`` those named.

    >>> differing_columns([("run", "seed"), ("a", "0"), ("b", "0")])
    (('run',), ('a',), ('b',))
    """
    columns = list(zip(*rows, strict=True))
    kept = [each for each in columns if len(set(each[1:])) > 1 and each[0] not in without]
    return tuple(zip(*kept, strict=True))


def facts_of(report: Report) -> dict[str, str]:
    """The facts with the baseline among them."""
    floor = {} if report.baseline is None else {"baseline": str(report.baseline)}
    return {**report.facts, **floor}
