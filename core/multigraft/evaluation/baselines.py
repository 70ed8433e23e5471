"""Baselines: whether a model does better than an answer that does not look at its input."""

from __future__ import annotations

from collections.abc import Mapping

from multigraft.contracts.report import Baseline


def baseline_notes(
    metrics: Mapping[str, float], baseline: Baseline | None, *, rows: str, greater: bool
) -> list[str]:
    """Say so where a model does no better than an answer that does not look at its input."""
    if baseline is None or baseline.metric not in metrics:
        return []
    value = metrics[baseline.metric]
    if value > baseline.value if greater else value < baseline.value:
        return []
    return [
        f"{baseline.metric} on the {rows} rows is {value:.3f}, no better than {baseline.answer} "
        f"({baseline.value:.3f}): the model may have learned nothing from its inputs; train "
        "longer, let more of the backbone learn, or look at the rows"
    ]
