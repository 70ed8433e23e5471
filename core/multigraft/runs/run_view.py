"""A run in a notebook and in a line: what was trained, on what, how good it is, where it lies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from multigraft.contracts.report import Report
from multigraft.contracts.report_view import PAGE, beside, view_of
from multigraft.runs.report_files import read_report, report_file
from multigraft.system.notebook import View

if TYPE_CHECKING:
    from multigraft.runs.run import Run


def run_line(run: Run) -> str:
    """A run in one line: task, backbone, folder, and the metric that it is judged by."""
    report = judged(run)
    told = "not trained yet" if report is None else _headline(run, report)
    return f"<Run {run.resolved.task.name} with {run.recipe.backbone_name}, {run.folder}: {told}>"


def run_view(run: Run) -> View:
    """The view of its best report, with where the run lies and what can be done with it."""
    report = judged(run)
    if report is None:
        title = f"{run.resolved.task.name} with {run.recipe.backbone_name}"
        return View(heading=title, aside="run, not trained yet", facts=dict(_facts(run)))
    shown = view_of(report)
    return View(
        heading=shown.heading,
        aside=f"run, {shown.aside}",
        tables=shown.tables,
        notes=shown.notes,
        facts={**shown.facts, **dict(_facts(run))},
    )


def judged(run: Run) -> Report | None:
    """The evaluation of its held-out rows that its folder keeps; before there is one the report of
    its training; None before that. Raises RunError where the file is damaged."""
    verbs = ("evaluate", run.resolved.task.stage)
    found = (report_file(run.folder, verb) for verb in verbs)
    return next((read_report(path) for path in found if path.is_file()), None)


def _headline(run: Run, report: Report) -> str:
    name = run.objective.monitor
    for wanted in (name, f"validation {name}", *report.metrics):
        if wanted in report.metrics:
            return f"{wanted} {beside(report.metrics[wanted])}"
    return "trained"


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    yield "run", str(run.folder)
    yield "rows", ", ".join(f"{len(rows):,} {split}" for split, rows in run.rows.items())
    page = run.folder / PAGE
    if page.is_file():
        yield "page", str(page)
