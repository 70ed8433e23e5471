"""Stored reports: those that a run's folder keeps, one a verb."""

from __future__ import annotations

import json
import logging
from pathlib import Path

from multigraft.contracts.report import Report
from multigraft.errors import RunError, refused_as
from multigraft.evaluation.report.page import OTHER_DATA, write_page
from multigraft.runs.run import PAGE
from multigraft.system.files import write_json

log = logging.getLogger("multigraft")

REPORTS = "reports"


def _kept(path: Path) -> Report | None:
    """A report written earlier; None, and a word, where it is damaged: the page does without it."""
    try:
        return read_report(path)
    except RunError as error:
        log.warning("%s; it is left out of %s", error, PAGE)
        return None


def read_report(path: Path) -> Report:
    """Read a report as it was kept. Raises RunError where it is damaged."""
    with refused_as(RunError, f"{path}: cannot be read"):
        return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))


def report_file(folder: Path, verb: str, other_data: str | None = None) -> Path:
    """Where a run's folder keeps the report of a verb, on its own rows or on other data."""
    name = verb if other_data is None else f"{verb}-{other_data}"
    return folder / REPORTS / f"{name}.json"


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
