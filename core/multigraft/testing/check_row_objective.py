"""Checks of the half of an objective that needs no torch: what a bundle is measured by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from multigraft.evaluation.bundle.bundle_task import bundle_task
from multigraft.evaluation.bundle.measure_rows import measure_rows
from multigraft.runs.run import Run
from multigraft.runtime import Predictor
from multigraft.testing.arrays import NEAR


def without_torch(predictor: Predictor, run: Run, wanted: Mapping[str, float]) -> Iterator[str]:
    """A `Task.row_objective` gives an fp32 bundle the figures ``wanted``."""
    if run.resolved.task.row_objective is None or predictor.precision != "fp32":
        return
    rows, bound = run.rows[run.held_out()], bundle_task(predictor, run.catalog, {})
    found = bound.metrics.summarise(measure_rows(bound, rows))
    objective = bound.metrics.objective
    if (objective.monitor, objective.whole) != (run.objective.monitor, run.objective.whole) and (
        run.objective.generating(run.graft.head) is None
    ):
        yield "row_objective has another monitor, or whole, than the objective"
    for name, value in found.items():
        if name not in wanted:
            yield f"row_objective gives {name!r}, which evaluation does not"
        elif not np.isclose(value, wanted[name], rtol=NEAR, atol=NEAR, equal_nan=True):
            yield f"{name} is {wanted[name]:g} in evaluation, and {value:g} by row_objective"
