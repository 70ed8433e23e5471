"""Points for trackers: the lines of metrics.jsonl and the figures of a report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from multigraft.contracts.report import Report


class Point(NamedTuple):
    """One value of one curve."""

    step: int
    name: str
    """As ``train/loss``, ``validation/accuracy`` or ``evaluate/test/accuracy``."""
    value: float


class Following:
    """Reads what was added to a metrics.jsonl since it was asked last."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._inode = -1

    def read(self) -> tuple[bool, list[Point]]:
        """Read the points of new lines; first, whether the file was written anew since.

        A training that goes on from a checkpoint drops the lines after it, and so writes the file
        anew.
        """
        try:
            facts = self.path.stat()
        except FileNotFoundError:
            return False, []
        anew = facts.st_ino != self._inode or facts.st_size < self._offset
        if anew:
            self._inode, self._offset = facts.st_ino, 0
        if facts.st_size == self._offset:
            return anew, []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            whole = file.read().rpartition(b"\n")[0]
        if whole:
            self._offset += len(whole) + 1
        return anew, [
            point for line in whole.splitlines() for point in line_points(json.loads(line))
        ]


def line_points(line: Mapping[str, Any]) -> Iterator[Point]:
    """The points of one line of metrics.jsonl."""
    step = int(line["step"])
    for name, value in line.items():
        if name == "validation":
            yield from (
                Point(step, f"validation/{metric}", float(number))
                for metric, number in value.items()
            )
        elif name != "step":
            yield Point(step, f"train/{name}", float(value))


def place(report: Report) -> str:
    """Name under which a report's figures are kept: its verb, and the split it measured."""
    split = report.facts.get("split")
    return report.verb if split is None else f"{report.verb}/{split}"


def report_points(report: Report, step: int) -> list[Point]:
    """The metrics of a report, with the ends of their intervals, and what it cost."""
    found: dict[str, float | None] = {}
    for name, measure in report.metrics.items():
        found |= {name: measure.value, f"{name}_low": measure.low, f"{name}_high": measure.high}
    if report.cost is not None:
        found |= {"seconds": report.cost.seconds, "rows_per_second": report.cost.rows_per_second}
    return [
        Point(step, f"{place(report)}/{name.replace(' ', '_')}", value)
        for name, value in found.items()
        if value is not None and not math.isnan(value)
    ]
