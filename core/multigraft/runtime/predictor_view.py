"""Predictor view: what a notebook shows of a loaded bundle, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multigraft.contracts.numbers import quantity
from multigraft.contracts.report import Measure
from multigraft.contracts.report_view import metric_rows
from multigraft.runtime.manifest import Precision
from multigraft.system.disk import megabytes
from multigraft.system.notebook import View

if TYPE_CHECKING:
    from multigraft.runtime.predictor import Predictor

LABELS = 12
"""More labels than these are told by their first and their number."""


def predictor_view(predictor: Predictor) -> View:
    """What it answers, how well it did on held-out rows, and what may be asked."""
    bundle, chosen = predictor.bundle, predictor.bundle.precisions[predictor.precision]
    told = {
        "folder": "" if predictor.folder is None else str(predictor.folder),
        "labels": _some(predictor.labels),
        "a value is": " and ".join(bundle.columns) or bundle.modality,
        "may be asked": ", ".join(predictor.asks),
        "a row takes": _milliseconds(chosen.milliseconds),
        "graph": megabytes(chosen.size),
        "measured on": f"{chosen.rows:,} held-out rows" if chosen.rows else "",
    }
    return View(
        heading=f"{bundle.task} with {bundle.backbone}",
        aside=f"predictor, {predictor.precision}",
        tables={"": metric_rows(_measured(chosen))},
        facts={name: value for name, value in told.items() if value},
        notes=bundle.notes,
    )


def _measured(chosen: Precision) -> dict[str, Measure]:
    """The metric by which the precision was accepted; empty where none was measured."""
    if chosen.metric is None or chosen.value is None:
        return {}
    return {chosen.metric: Measure(chosen.value, chosen.low, chosen.high)}


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{quantity(value)} ms when it was exported"


def _some(labels: tuple[str, ...]) -> str:
    more = f" and {len(labels) - LABELS} more" if len(labels) > LABELS else ""
    return ", ".join(labels[:LABELS]) + more
