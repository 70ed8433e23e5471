"""Early stopping: end a training that has stopped getting better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from multigraft.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from multigraft.runs.run import Run


class EarlyStopping:
    """Stop when the validation has not improved for ``patience`` epochs.

    It remembers nothing itself: ``run.history`` tells, so a resumed run stops where the other would
    have.
    """

    def __init__(self, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"patience is {patience}; at least 1 epoch is needed")
        self.patience = patience

    @hookimpl
    def epoch_end(self, run: Run, epoch: int, metrics: Mapping[str, float]) -> None:
        """Look back over the validations."""
        monitor = run.objective.monitor
        if monitor not in metrics:
            return
        values = [entry["metrics"][monitor] for entry in run.history]
        best = max(values) if run.objective.greater_is_better else min(values)
        since = epoch - 1 - values.index(best)
        if since >= self.patience:
            run.stop = f"no better {monitor} in {since} {'epoch' if since == 1 else 'epochs'}"
