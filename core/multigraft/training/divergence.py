"""Divergence: which steps are skipped, and when training rolls back or gives up."""

from __future__ import annotations

from multigraft.training.checkpoint.progress import Progress

FIRST = 10
"""Steps whose mean loss is what the training began with."""
SETTLED = 50
"""Steps before which nothing is called diverging."""
MEMORY = 0.98
"""How much of the running mean of the loss each step keeps."""
ROLLBACKS = 3
"""How often training goes back before it gives up."""
SLOWER = 0.5
"""What going back leaves of the learning rate."""


def passed(progress: Progress, loss: float) -> None:
    """Note a step whose loss and gradient are finite."""
    progress.bad = 0
    progress.finite += 1
    if progress.finite <= FIRST:
        progress.first_loss += (loss - progress.first_loss) / progress.finite
    keep = min(MEMORY, 1 - 1 / progress.finite)
    progress.recent_loss = keep * progress.recent_loss + (1 - keep) * loss


def skipped(progress: Progress) -> None:
    """Note a step that was left out."""
    progress.bad += 1
    progress.skipped += 1


def diverged(progress: Progress, factor: float) -> str | None:
    """Say why to stop: the loss is ``factor`` times what it began with; None: it is not."""
    if (
        not factor
        or progress.finite < SETTLED
        or progress.recent_loss <= factor * progress.first_loss
    ):
        return None
    return (
        f"the loss diverges: {progress.recent_loss:.3g} now, {progress.first_loss:.3g} in the "
        "first steps; lower training.learning_rate (training.diverged sets the factor, 0 switches "
        "this off)"
    )


def diverged_for_good(progress: Progress, loss: float, rate: float) -> str:
    """Say what to do where going back does not help, or there is nothing to go back to."""
    return (
        f"the loss is {loss:g} at step {progress.step}; lower training.learning_rate (now "
        f"{rate:g}) or raise training.warmup, and start again"
    )


def went_back(before: Progress, restored: Progress) -> Progress:
    """The progress with which to go on at a lower rate, after ``before`` ended in bad steps."""
    restored.skipped = before.skipped
    restored.rollbacks = before.rollbacks + 1
    restored.rate_scale = before.rate_scale * SLOWER
    restored.bad = 0
    restored.seconds, restored.waited = before.seconds, before.waited
    restored.saving, restored.rows = before.saving, before.rows
    return restored
