"""Worst rows: those with the largest loss, and what a report says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from multigraft.contracts.report import WorstRow
from multigraft.data import Rows
from multigraft.data.shown_content import content_of
from multigraft.evaluation.answer_scores import RowMetrics


def worst_rows(
    rows: Rows, row_metrics: RowMetrics, details: Mapping[str, Any], count: int
) -> tuple[WorstRow, ...]:
    """At most ``count`` rows, the largest loss first; none where no loss is kept."""
    if "loss" not in row_metrics:
        return ()
    counted = row_metrics["weight"] > 0  # the others are no part of the loss either
    loss, weight = row_metrics["loss"], row_metrics["weight"]
    losses = np.divide(loss, weight, where=counted, out=np.full(len(counted), -np.inf))
    expected: Sequence[str] = details.get("expected", ())
    answered: Sequence[str] = details.get("answered", ())
    return tuple(
        WorstRow(
            rows.place(index),
            float(losses[index]),
            expected[index] if expected else None,
            answered[index] if answered else None,
            content_of(rows, index),
        )
        for index in np.argsort(-losses, kind="stable")[: min(count, counted.sum())].tolist()
    )
