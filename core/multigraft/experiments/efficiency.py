"""Label efficiency: how a metric grows with the number of training rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from multigraft.evaluation.statistics import Estimate
from multigraft.experiments.combinations import DATA
from multigraft.experiments.summary import Group, Summary

LIMIT = "data.limit"


@dataclass(frozen=True)
class Step:
    """A metric at one number of training rows."""

    rows: int
    estimate: Estimate


def curves(summary: Summary) -> dict[str, list[Step]]:
    """A curve for each group of cells that differ by `data.limit`, on the rows of what they learn
    from (else of every domain); empty where it does not vary."""
    found: dict[str, list[Step]] = {}
    for group in summary.groups:
        if LIMIT not in group.varied:
            continue
        for domain in [group.data] if group.data in summary.domains else summary.domains:
            estimate, rows = summary.estimate(group, str(domain)), _rows(summary, group)
            if estimate is not None and rows is not None:
                found.setdefault(_name(group, str(domain)), []).append(Step(rows, estimate))
    return {
        name: sorted(steps, key=lambda step: step.rows)
        for name, steps in found.items()
        if len(steps) > 1
    }


def _rows(summary: Summary, group: Group) -> int | None:
    """The training rows of its cells."""
    ended = (summary.records.get(cell.key) for cell in group.cells)
    known = (record.train_rows for record in ended if record is not None)
    return next((rows for rows in known if rows is not None), None)


def _name(group: Group, domain: str) -> str:
    others: Mapping[str, Any] = {
        name: value for name, value in group.varied.items() if name not in (LIMIT, DATA)
    }
    return ", ".join([domain, *(str(value) for value in others.values())])
