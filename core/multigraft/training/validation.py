"""The validation inside a training: with the weights that would be kept, as the training computes them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from multigraft.evaluation import measure_split
from multigraft.training.averaging import Average
from multigraft.training.forward import Forward

if TYPE_CHECKING:
    from multigraft.run import Run


def validate(run: Run, forward: Forward, average: Average | None) -> dict[str, float]:
    """The metrics of the validation rows, of the running mean where there is one; nothing without rows."""
    if "validation" not in run.rows:
        return {}
    averaged = nullcontext() if average is None else average.applied()
    with averaged, forward.autocast():
        kept = measure_split(
            run.graft,
            run.objective,
            run.rows["validation"],
            replayed=forward.replayed.get("validation"),
            world=run.world,
            **run.reading(),
        )
    return run.objective.summarise(kept)
