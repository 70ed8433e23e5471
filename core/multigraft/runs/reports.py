"""Stored reports: those that a run's folder keeps, one a verb."""

from __future__ import annotations

import logging
from pathlib import Path

from multigraft.contracts.report import Report
from multigraft.errors import RunError, refused_as
from multigraft.evaluation.report.page import OTHER_DATA, write_page
from multigraft.runs.report_files import REPORTS, read_report, report_file
from multigraft.runs.run import PAGE
from multigraft.system.files import write_json

log = logging.getLogger("multigraft")


def _kept(path: Path) -> Report | None:
    """A report written earlier; None, and a word, where it is damaged: the page does without it."""
    try:
        return read_report(path)
    except RunError as error:
        log.warning("%s; it is left out of %s", error, PAGE)
        return None


def keep_report(report: Report, folder: Path, *, other_data: str | None = None) -> None:
    """Store the report beside the earlier ones, and the page that shows them all."""
    reports = folder / REPORTS
    reports.mkdir(parents=True, exist_ok=True)
    with refused_as(RunError, f"{reports}: the report cannot be kept"):
        write_json(report_file(folder, report.verb, other_data), report.to_dict())
    found = sorted(reports.glob("*.json"), key=lambda path: path.stat().st_mtime)
    everything = [kept for path in found if (kept := _kept(path)) is not None]
    page = next((each for each in everything if OTHER_DATA not in each.facts), report)
    write_page(everything, folder / PAGE, title=page.title)
