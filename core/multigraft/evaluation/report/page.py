"""HTML report: one self-contained page with no script and no request, light and dark."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from multigraft.contracts.numbers import cost_line, figure, interval, percent
from multigraft.contracts.report import Confusion, Measure, Report
from multigraft.contracts.report_view import facts_of
from multigraft.evaluation.report import axes, charts
from multigraft.evaluation.report.confusion import reduced
from multigraft.system.about import __version__

CELLS = 20
"""The most labels of a confusion matrix that is written as a table; a larger one is drawn."""
UPRIGHT = 6
"""More labels than this, or longer ones, stand upright above their columns."""
CONFUSED = 10
LOG_RATIO = 50
"""A loss that falls by more than this factor is drawn on a log scale."""
PREFIX = "validation "
RATE = "Learning rate"
OTHER_DATA = "data"
"""The fact that names other data than the run's own."""
NUMBER = re.compile(r"[<+\-−]?\d[\d.,]*(e[+-]?\d+)?( ?[%\w/µ]{1,8})?( \[[^]]*\])?")


@dataclass(frozen=True)
class Card:
    """A metric as the page shows it."""

    name: str
    value: str
    interval: str
    bar: Markup
    end: str


@dataclass(frozen=True)
class Cell:
    """A count of a confusion matrix, and its share of the row."""

    count: int
    share: float
    said: str


def write_page(reports: Sequence[Report], path: Path, *, title: str) -> Path:
    """Write the reports as ``path``, whole or not at all, and return it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(render(reports, title=title), encoding="utf-8")
    unfinished.replace(path)
    return path


def render(reports: Sequence[Report], *, title: str) -> str:
    """The page as text."""
    shared = shared_facts(reports)
    return (
        templates()
        .get_template("page.html.j2")
        .render(
            title=title,
            version=__version__,
            shared=shared,
            sections=[_section(report, shared) for report in reports],
        )
    )


def templates(*rooms: str) -> Environment:
    """The templates of reports, and those of other ``rooms``, which may include them."""
    loaders = [PackageLoader("multigraft", room) for room in (*rooms, "evaluation/report")]
    environment = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"words": words, "number": is_number}
    return environment


def shared_facts(reports: Sequence[Report]) -> dict[str, str]:
    """The first report's facts that no other contradicts; the page says them once."""
    if not reports:
        return {}
    first, *others = (report.facts for report in reports)
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name, value) == value for other in others)
    }


def words(name: str) -> str:
    """Write a metric's or a fact's name as words.

    >>> words("validation f1_macro"), words("learning_rate"), words("int8 accuracy")
    ('Validation F1 macro', 'Learning rate', 'int8 accuracy')
    """
    text = re.sub(r"\bf(?=\d)", "F", name.replace("_", " ").strip())
    first = text.split(" ")[0]
    return text if any(letter.isdigit() for letter in first) else text[:1].upper() + text[1:]


def is_number(text: str) -> bool:
    """Tell whether a cell is a number, perhaps with a unit or interval, and so is right-aligned.

    >>> is_number("0.87 [0.85, 0.89]"), is_number("12.4 ms"), is_number("0.2 points lower")
    (True, True, False)
    """
    return NUMBER.fullmatch(text.strip()) is not None


def _section(report: Report, shared: Mapping[str, str]) -> dict[str, object]:
    facts = {name: value for name, value in facts_of(report).items() if name not in shared}
    confusion = None if report.confusion is None else reduced(report.confusion)
    labels = () if confusion is None else confusion.labels
    return {
        "verb": _heading(report),
        "title": report.title,
        "cost": None if report.cost is None else cost_line(report.cost),
        "notes": report.notes,
        "cards": list(_cards(report.metrics)),
        "confidence": percent(report.facts.get("confidence")),
        "charts": list(_charts(report.curves)),
        "labels": labels,
        "upright": len(labels) > UPRIGHT and max(map(len, labels)) > UPRIGHT,
        "matrix": None if confusion is None or len(confusion.labels) > CELLS else _cells(confusion),
        "grid": None if confusion is None else _grid(confusion),
        "confused": [] if confusion is None else _confused(confusion),
        "worst": report.worst,
        "tables": report.tables,
        "facts": facts,
        "files": report.files,
    }


def _heading(report: Report) -> str:
    other = report.facts.get(OTHER_DATA)
    return report.verb if other is None else f"{report.verb} on {other}"


def _cards(metrics: Mapping[str, Measure]) -> Iterator[Card]:
    """The metrics, losses last: they say less to a reader than the others."""
    for name in sorted(metrics, key=lambda name: name.endswith("loss")):
        measure = metrics[name]
        end = _scale(measure)
        bar = charts.interval_bar(measure.value, measure.low, measure.high, end=end)
        yield Card(name, figure(measure), interval(measure), Markup(bar), f"{end:g}")


def _scale(measure: Measure) -> float:
    """Where a metric's line ends: at 1 for a share, else at the next round number."""
    largest = measure.value if measure.high is None else max(measure.value, measure.high)
    if not 1 < largest < axes.LARGEST:
        return 1.0
    return axes.value_axis(0, largest).high


def _charts(curves: Mapping[str, Sequence[axes.Point]]) -> Iterator[tuple[str, Markup]]:
    """The curves under their captions, the learning rate last."""
    for caption, series in sorted(_grouped(curves).items(), key=lambda chart: chart[0] == RATE):
        falling = caption.lower().endswith(("loss", "perplexity"))
        log = falling and _falls_far(series)
        yield caption, Markup(charts.line_chart(series, title=caption, log=log, smooth=falling))


def _grouped(
    curves: Mapping[str, Sequence[axes.Point]],
) -> dict[str, dict[str, Sequence[axes.Point]]]:
    """Curves that share axes: a quantity in training and validation, and validation's shares."""
    drawn = {name: points for name, points in curves.items() if points}
    grouped: dict[str, dict[str, Sequence[axes.Point]]] = {}
    for name, points in drawn.items():
        quantity = name.removeprefix(PREFIX)
        if quantity in drawn and PREFIX + quantity in drawn:
            grouped.setdefault(words(quantity), {})[
                "training" if name == quantity else "validation"
            ] = points
        elif name != quantity and all(0 <= value <= 1 for _, value in points):
            grouped.setdefault("Validation", {})[words(quantity)] = points
        else:
            grouped[words(name)] = {words(name): points}
    return grouped


def _falls_far(series: Mapping[str, Sequence[axes.Point]]) -> bool:
    values = [y for points in series.values() for _, y in points if 0 < y < axes.LARGEST]
    return bool(values) and max(values) / min(values) > LOG_RATIO


def _cells(confusion: Confusion) -> list[tuple[str, list[Cell], str]]:
    """Each row of a confusion matrix: its label, its cells, and the share answered rightly."""
    rows = []
    for place, (label, counts) in enumerate(zip(confusion.labels, confusion.matrix, strict=True)):
        total = sum(counts)
        cells = [
            Cell(
                count,
                count / total if total else 0.0,
                f"{label} answered as {other}: {count} of {total}",
            )
            for other, count in zip(confusion.labels, counts, strict=True)
        ]
        rows.append((label, cells, f"{counts[place] / total:.0%}" if total else ""))
    return rows


def _grid(confusion: Confusion) -> Markup | None:
    if len(confusion.labels) <= CELLS or not confusion.matrix:
        return None
    return Markup(charts.heat_grid(confusion.labels, confusion.matrix, title="Confusion matrix"))


def _confused(confusion: Confusion) -> list[tuple[str, str, int, str]]:
    """Largest errors of a matrix too large to read: expected, answered, count, share."""
    if len(confusion.labels) <= CELLS:
        return []
    return [
        (pair.expected, pair.answered, pair.rows, f"{pair.rows / pair.of:.0%}")
        for pair in confusion.frequent[:CONFUSED]
    ]
