"""Pruning: a trial tells Optuna its validation after each epoch, and ends where it is hopeless."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from multigraft.plugins.hookspecs import hookimpl

if TYPE_CHECKING:
    from multigraft.contracts.run_view import RunView

PRUNED = "pruned after epoch"


@dataclass(frozen=True)
class TrialPlace:
    """Where a trial is found, as plain data: workers report to it."""

    storage: str
    study: str
    number: int
    pruner: str
    epochs: int | None
    """Of a whole trial; None: they vary."""


class Pruning:
    """Watches a training; the study itself is Optuna's, in its storage."""

    def __init__(self, place: TrialPlace) -> None:
        self._place = place
        self._found: Any = None

    @hookimpl
    def epoch_end(self, run: RunView, epoch: int, metrics: Mapping[str, float]) -> None:
        """Report the validation, and ask whether to go on; the last epoch is never cut."""
        monitor = run.objective.monitor
        if monitor not in metrics:
            return
        trial = self._trial()
        trial.report(goodness(metrics[monitor], greater=run.objective.greater_is_better), epoch)
        if epoch != run.recipe.training.epochs and trial.should_prune():
            run.stop = f"{PRUNED} {epoch}: {monitor} {metrics[monitor]:.4g}"

    def _trial(self) -> Any:
        from multigraft.experiments.search.optuna_study import open_trial

        if self._found is None:
            self._found = open_trial(self._place)
        return self._found


def goodness(value: float, *, greater: bool) -> float:
    """What a study maximises: the metric, or minus it where less is better."""
    return value if greater else -value
