"""Training setup: what a training is made of, built from a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from multigraft.system.compute.device import choose_device, lay_out
from multigraft.system.compute.precision import choose_precision
from multigraft.training.checkpoint import Checkpoints
from multigraft.training.defaults import default_rate
from multigraft.training.forward import Forward
from multigraft.training.optimizers import ScheduledOptimizer
from multigraft.training.weight_averaging import Average

if TYPE_CHECKING:
    from multigraft.runs.run import Run


def build_forward(run: Run) -> Forward:
    """The forward pass on the device there is, in the precision that all processes agree on."""
    training, device = run.recipe.training, choose_device()
    chosen = choose_precision(training.precision, device, begun=run.facts.get("precision"))
    run.graft.to(device)
    lay_out(run.graft, channels_last=training.channels_last)
    return Forward(run, device=device, precision=run.world.agree(chosen))


def build_optimizer(run: Run, total_steps: int) -> ScheduledOptimizer:
    """The optimizer of the run's plan, at the recipe's rate or the default one."""
    training = run.recipe.training
    rate = (
        training.learning_rate
        or run.objective.learning_rate
        or run.resolved.task.learning_rate
        or default_rate(run.plan, scratch=run.resolved.scratch)
    )
    return ScheduledOptimizer(run.plan, training, rate=rate, total_steps=total_steps)


def build_average(run: Run) -> Average | None:
    """The running mean of the weights, where the recipe asks for one."""
    decay = run.recipe.training.ema
    return None if decay is None else Average(run.graft, run.plan.unchanging(), decay)


def build_checkpoints(
    run: Run, optimizer: ScheduledOptimizer, average: Average | None
) -> Checkpoints:
    """Checkpoints of all that changes."""
    return Checkpoints(
        run.folder / "checkpoints",
        run.graft,
        optimizer.optimizer,
        names=optimizer.names,
        unchanging=run.plan.unchanging(),
        average=None if average is None else average.values,
        keep=run.recipe.training.keep,
    )
