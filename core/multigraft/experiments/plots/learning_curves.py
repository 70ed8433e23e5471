"""Learning curves: the validation metric of every cell by epoch, a plot for each group of cells."""

from __future__ import annotations

from collections.abc import Iterator

from multigraft.evaluation.report.axes import Point
from multigraft.evaluation.report.charts import line_chart
from multigraft.experiments.cells import Cell, folder_of
from multigraft.experiments.epochs import validations
from multigraft.experiments.summary import Group, Summary

MOST = 24
"""Groups of cells that are drawn, in the order of the plan."""


def learning_plots(summary: Summary) -> Iterator[tuple[str, str]]:
    """A plot for each group of cells whose validations were logged: its title, and the SVG."""
    drawn = 0
    for group in summary.groups:
        series = _series(summary, group)
        if series and drawn < MOST:
            drawn += 1
            title = group.whole_name
            yield title, line_chart(series, title=title, x_label="epoch")


def _series(summary: Summary, group: Group) -> dict[str, list[Point]]:
    """The curve of each seed; a single validation is none."""
    found = {f"seed {cell.seed}": _curve(summary, cell) for cell in group.cells}
    return {name: points for name, points in found.items() if len(points) > 1}


def _curve(summary: Summary, cell: Cell) -> list[Point]:
    """The metric that is shown, or else what the training itself went by."""
    folder = folder_of(summary.experiment.folder, cell.key)
    return validations(folder, summary.metric) or validations(folder, summary.monitor)
