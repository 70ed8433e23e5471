"""Export summary: what an export reports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from multigraft.contracts.numbers import quantity
from multigraft.contracts.report import Cost, Measure, Report
from multigraft.runtime.bundle import Bundle, Precision
from multigraft.system.peak_memory import peak_memory_mb

HEADING = (
    *("precision", "accepted", "metric", "parity", "other answers", "MB"),
    *("ms a row", "ms a batch of 32", "why"),
)
BATCH = 32


def summary(
    bundle: Bundle,
    target: Path,
    *,
    split: str | None,
    torch_milliseconds: Mapping[int, float],
    seconds: float,
) -> Report:
    """The report of an export: each precision's metric, and a table with parity, size and time."""
    times = (_quantity(torch_milliseconds.get(size)) for size in (1, BATCH))
    eager = ("torch", "", "", "", "", "", *times, "eager fp32, for comparison")
    return Report(
        verb="export",
        title=f"{bundle.task} with {bundle.backbone}",
        metrics={
            f"{name} {entry.metric}": Measure(entry.value, entry.low, entry.high)
            for name, entry in bundle.precisions.items()
            if entry.value is not None
        },
        tables={
            "precisions": (HEADING, *(_line(*item) for item in bundle.precisions.items()), eager)
        },
        facts={
            "default precision": bundle.default,
            "split": split or "none held out",
            "rows": str(max(entry.rows for entry in bundle.precisions.values())),
            "threads": str(torch.get_num_threads()),
            "opset": str(bundle.opset),
        },
        cost=Cost(seconds, peak_memory_mb()),
        notes=bundle.notes,
        files={"bundle": str(target)},
    )


def _line(name: str, entry: Precision) -> tuple[str, ...]:
    metric = (
        ""
        if entry.value is None
        else f"{entry.metric} {Measure(entry.value, entry.low, entry.high)}"
    )
    return (
        name,
        "yes" if entry.accepted else "no",
        metric,
        "" if entry.parity is None else f"{entry.parity:.1e}",
        "" if entry.changed is None else f"{entry.changed} of {entry.rows}",
        quantity(entry.size / 1e6) if entry.size else "",
        _quantity(entry.milliseconds),
        _quantity(entry.latency.get(BATCH)),
        entry.reason,
    )


def _quantity(value: float | None) -> str:
    return "" if value is None else quantity(value)
