"""HTML page of an experiment: leaderboard, plots, comparisons, the worst rows, what failed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from multigraft.evaluation.report.charts import line_chart
from multigraft.evaluation.report.page import templates
from multigraft.experiments.efficiency import curves
from multigraft.experiments.folder import PAGE
from multigraft.experiments.leaderboard import Leaderboard, leaderboard
from multigraft.experiments.leave_one_out import LEAVE_ONE_OUT, all_but
from multigraft.experiments.opening import Experiment
from multigraft.experiments.overview import (
    BESIDE,
    LEADERBOARD,
    TRANSFER,
    failures,
    report_of,
    search_tables,
)
from multigraft.experiments.plots.critical_difference import diagram
from multigraft.experiments.plots.forest import Forest, average_differences, differences, forests
from multigraft.experiments.plots.heat_map import heat_maps
from multigraft.experiments.plots.learning_curves import learning_plots
from multigraft.experiments.plots.pareto import pareto_plots
from multigraft.experiments.plots.search_history import search_plots
from multigraft.experiments.summary import Summary
from multigraft.experiments.worst_rows import worst_rows
from multigraft.experiments.written import p_value
from multigraft.system.about import __version__

Drawn = tuple[str, Markup]
"""A title, and the drawing below it."""


@dataclass(frozen=True)
class Standings:
    """The leaderboard's section of the page."""

    rows: Sequence[Sequence[str]] = ()
    where: str = ""
    """What the figures are averaged over."""
    beside: Forest | None = None
    diagram: Markup | None = None
    friedman: str = ""
    fronts: Sequence[Drawn] = field(default_factory=tuple)


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
        board=_standings(leaderboard(summary), report.tables.get(LEADERBOARD, ())),
        left_out=report.tables.get(LEAVE_ONE_OUT, ()),
        maps=list(heat_maps(summary)),
        forests=list(forests(summary)),
        differences=list(differences(summary)),
        tables={name: report.tables[name] for name in (TRANSFER, BESIDE) if name in report.tables},
        chart=_label_efficiency(summary),
        searches=_drawn(search_plots(found.trials())),
        tried=list(search_tables(found)),
        learning=_drawn(learning_plots(summary)),
        worst=list(worst_rows(summary)),
        failed=failures(found),
    )


def _standings(board: Leaderboard | None, rows: Sequence[Sequence[str]]) -> Standings | None:
    if board is None:
        return None
    drawn = diagram(board)
    return Standings(
        rows=rows,
        where=_where(board),
        beside=average_differences(board),
        diagram=None if drawn is None else Markup(drawn),
        friedman=_friedman(board),
        fronts=_drawn(pareto_plots(board)),
    )


def _where(board: Leaderboard) -> str:
    """What the figures of a leaderboard are averaged over, in words."""
    targets = ", ".join(dict.fromkeys(target for _, target in board.pairs))
    sources = ", ".join(dict.fromkeys(source for source, _ in board.pairs if source is not None))
    learned = f", learned from {sources}" if sources else ""
    if all(source == all_but(target) for source, target in board.pairs):
        learned = ", each learned from all others"
    averaged = f", averaged over {len(board.pairs)} pairs" if len(board.pairs) > 1 else ""
    return f"{targets}{learned}{averaged}"


def _friedman(board: Leaderboard) -> str:
    if board.ranks is None:
        return ""
    return (
        f"Friedman's test of {len(board.ranked)} systems in {board.blocks} blocks: chi-squared "
        f"{board.ranks.statistic:.3g}, p {p_value(board.ranks.p)}"
    )


def _drawn(plots: Iterator[tuple[str, str]]) -> list[Drawn]:
    return [(title, Markup(drawing)) for title, drawing in plots]


def _label_efficiency(summary: Summary) -> Markup | None:
    """The metric by the number of training rows."""
    series = {
        name: [(float(step.rows), step.estimate.value) for step in steps]
        for name, steps in curves(summary).items()
    }
    if not series:
        return None
    return Markup(line_chart(series, title=str(summary.metric), x_label="training rows"))
