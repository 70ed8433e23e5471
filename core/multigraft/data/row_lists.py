"""Lists of rows in a run's folder: each that was left out, and each that stands in two splits.

The record and the report hold the first of them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from multigraft.data.bad_rows import Problem
from multigraft.data.checks.leakage import Leak
from multigraft.data.reporting import LEFT_OUT, LEFT_OUT_HEADING, TWICE, TWICE_HEADING, twice_row
from multigraft.system.files import write_text

FILES = {LEFT_OUT: "rows-left-out.csv", TWICE: "rows-in-two-splits.csv"}
"""By the title of the table that holds the first of them."""


def write_left_out(folder: Path, problems: Mapping[str, Sequence[Problem]]) -> None:
    """Write every row that was left out; where there is none, no file of an earlier start stays."""
    rows = [
        (split, *(problem.record()[name] for name in LEFT_OUT_HEADING[1:]))
        for split, found in problems.items()
        for problem in found
    ]
    _write(folder / FILES[LEFT_OUT], LEFT_OUT_HEADING, rows)


def write_leaks(folder: Path, leaks: Sequence[Leak]) -> None:
    """Write every row that stands in two splits, those that are equal first."""
    rows = [
        twice_row({"part": leak.split, "other": leak.other}, pair.record())
        for leak in leaks
        for pair in leak.pairs
    ]
    _write(folder / FILES[TWICE], TWICE_HEADING, rows)


def row_lists(folder: Path) -> dict[str, str]:
    """The lists that a run's folder holds, by the titles of their tables."""
    found = {title: folder / name for title, name in FILES.items()}
    return {title: str(path) for title, path in found.items() if path.exists()}


def _write(path: Path, heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if not rows:
        path.unlink(missing_ok=True)
        return
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([heading, *rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())
