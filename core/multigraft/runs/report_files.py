"""Report files: where a run's folder keeps the report of a verb, and how it is read."""

from __future__ import annotations

import json
from pathlib import Path

from multigraft.contracts.report import Report
from multigraft.errors import RunError, refused_as
from multigraft.system.files import check_plain

REPORTS = "reports"
REPORT_BYTES = 2**28
"""The most bytes of a report; one of 10,000 labels takes a few MB."""


def read_report(path: Path) -> Report:
    """Read a report as it was kept. Raises RunError where it is damaged."""
    with refused_as(RunError, f"{path}: cannot be read"):
        check_plain(path, limit=REPORT_BYTES)
        return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))


def report_file(folder: Path, verb: str, other_data: str | None = None) -> Path:
    """Where a run's folder keeps the report of a verb, on its own rows or on other data."""
    name = verb if other_data is None else f"{verb}-{other_data}"
    return folder / REPORTS / f"{name}.json"
