"""Terminal report: a report as tables on a console."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from multigraft.contracts.numbers import cost_line, figure, interval, percent
from multigraft.contracts.report import Confusion, Measure, Report, WorstRow
from multigraft.contracts.report_view import (
    FOLDED,
    edges,
    facts_of,
    folded_notes,
    folded_rows,
    is_share,
)
from multigraft.system.terminal import harmless

LABELS_SHOWN = 20
"""The most labels of a confusion matrix that is shown here; the page shows larger ones."""
BAR_WIDTH = 24
SPARKS = "▁▂▃▄▅▆▇█"
BAR = "─·●"
"""An interval, what is outside it, and its value."""
PLAIN_SPARKS, PLAIN_BAR = "_.-:=+*#", "-.o"
"""The same where the terminal's encoding has no such signs."""
SPARK_WIDTH = 32
GAP = 3
"""Between columns."""


def show(report: Report, console: Console | None = None) -> None:
    """Print a report."""
    console = console or Console()
    for part in _parts(report, console.width, plain=console.options.ascii_only):
        console.print(part, highlight=False)


def words(text: str, style: str = "") -> Text:
    """Make a stranger's words harmless in a cell before it is measured, and never markup."""
    return Text(harmless(text), style)


def _parts(report: Report, width: int, *, plain: bool) -> Iterator[RenderableType]:
    yield Text.assemble("\n", words(report.title, "bold"), words(f"  {report.verb}", "dim"))
    if report.curves:
        yield _curves(report.curves, PLAIN_SPARKS if plain else SPARKS)
    if report.confusion is not None:
        yield _confusion(report.confusion)
    if report.worst:
        yield _worst(report.worst)
    for title, rows in report.tables.items():
        if rows:
            file = report.files.get(title)
            shown = folded_rows(rows, file)
            yield _table(title, shown, width)
            if len(shown) < len(rows):
                yield words(f"the first {FOLDED}; all of them: {file}\n")
    for note in folded_notes(report):
        yield Text.assemble(("note  ", "yellow"), words(note))
    facts = facts_of(report)
    if report.cost is not None:
        facts["cost"] = cost_line(report.cost)
    yield _pairs({**facts, **report.files})
    if report.metrics:
        yield _metrics(report.metrics, report.facts.get("confidence"), PLAIN_BAR if plain else BAR)


def _metrics(metrics: Mapping[str, Measure], confidence: str | None, signs: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("metric")
    table.add_column("value", justify="right", style="bold")
    if any(interval(measure) for measure in metrics.values()):
        table.add_column(f"{percent(confidence)} interval".strip())
    if any(is_share(name, measure) for name, measure in metrics.items()):
        table.add_column(f"0{'1':>{BAR_WIDTH - 1}}")
    for name, measure in metrics.items():
        bar = _bar(measure, signs) if is_share(name, measure) else ""
        cells: list[Text | str] = [words(name), figure(measure), interval(measure), bar]
        table.add_row(*cells[: len(table.columns)])
    return table


def _bar(measure: Measure, signs: str) -> Text:
    """The interval and the value on a line from 0 to 1."""
    low, value, high = (round(edge * (BAR_WIDTH - 1)) for edge in edges(measure))
    cells = [signs[0] if low <= place <= high else signs[1] for place in range(BAR_WIDTH)]
    cells[value] = signs[2]
    text = Text("".join(cells), "dim")
    text.stylize("not dim cyan", low, high + 1)
    return text


def _curves(curves: Mapping[str, Sequence[tuple[float, float]]], signs: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, justify in (
        ("curve", "left"),
        ("first", "right"),
        ("", "left"),
        ("last", "right"),
    ):
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for name, points in curves.items():
        values = [value for _, value in points if math.isfinite(value)]
        if values:
            table.add_row(
                words(name),
                f"{values[0]:.4g}",
                Text(_spark(values, signs), "cyan"),
                f"{values[-1]:.4g}",
            )
    return table


def _spark(values: Sequence[float], signs: str) -> str:
    """A curve in a few characters."""
    width = min(SPARK_WIDTH, len(values))
    chosen = [values[index * (len(values) - 1) // max(width - 1, 1)] for index in range(width)]
    low, high = min(chosen), max(chosen)
    scale = (len(signs) - 1) / (high - low) if high > low else 0.0
    return "".join(signs[round((value - low) * scale)] for value in chosen)


def _confusion(confusion: Confusion) -> RenderableType:
    if len(confusion.labels) > LABELS_SHOWN:
        return Text(f"confusion of {len(confusion.labels)} labels: see report.html", "dim")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for label in confusion.labels:
        table.add_column(words(label), justify="right")
    for row, (label, counts) in enumerate(zip(confusion.labels, confusion.matrix, strict=True)):
        cells = [_count(count, right=row == column) for column, count in enumerate(counts)]
        table.add_row(words(label), *cells)
    return Group(_heading("expected (rows) and answered (columns)"), table)


def _count(count: int, *, right: bool) -> Text:
    return Text(str(count), "bold green" if right else "red" if count else "dim")


def _worst(worst: Sequence[WorstRow]) -> Group:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("row", overflow="fold")
    table.add_column("loss", justify="right")
    told = {
        "expected": [row.expected for row in worst],
        "answered": [row.answered for row in worst],
    }
    # objects and label maps are not told in words
    told = {name: cells for name, cells in told.items() if any(each is not None for each in cells)}
    for name in told:
        table.add_column(name, overflow="fold")
    for row, *cells in zip(worst, *told.values(), strict=True):
        table.add_row(words(row.place), f"{row.loss:.4g}", *(words(each or "") for each in cells))
    return Group(_heading("rows with the largest loss"), table)


def _table(title: str, rows: Sequence[Sequence[str]], width: int) -> Group:
    """A table as it is; where its words do not fit beside each other, each row as a list."""
    narrowest = [max(map(_longest_word, cells)) for cells in zip(*rows, strict=True)]
    if sum(narrowest) + GAP * len(narrowest) > width:
        lists = [
            _pairs({name: cell for name, cell in zip(rows[0], row, strict=True) if cell})
            for row in rows[1:]
        ]
        return Group(_heading(title), *(line for each in lists for line in (Text(), each)), Text())
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading, least in zip(rows[0], narrowest, strict=True):
        table.add_column(words(heading), overflow="fold", min_width=least)
    for row in rows[1:]:
        table.add_row(*map(words, row))
    return Group(_heading(title), table)


def _longest_word(cell: str) -> int:
    return max((cell_len(word) for word in cell.split()), default=1)


def _heading(title: str) -> Text:
    return words(title, "italic")


def _pairs(pairs: Mapping[str, str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(words(name), words(value))
    return table
