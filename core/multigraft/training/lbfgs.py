"""L-BFGS for a linear probe: the minimum of its convex loss, instead of some steps toward it.

Where one linear layer learns alone on features that never change, the minimum is found on
standardised features for several strengths of L2, and the one of the lowest validation loss is
kept, as the literature judges linear probes (Kornblith et al. 2019, "Do Better ImageNet Models
Transfer Better?", appendix A).
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch
from multigraft.contracts.readers import read_row
from multigraft.models.fusion import HIDES
from multigraft.training.checkpoint import Progress
from multigraft.training.forward import Forward, replay_setting
from multigraft.training.mixed_loss import weighted
from multigraft.training.replay import UnfitError, check_inputs, untouched
from multigraft.training.standardization import Standard, evaluated
from multigraft.training.validation import validate

if TYPE_CHECKING:
    from multigraft.runs.run import Run

log = logging.getLogger("multigraft")
STRENGTHS = (3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 3e-4, 1e-4)
"""L2: half of one, times the squares of the standardised weights, is added to the mean row loss.

Where each output is a problem of its own, as one label of several, the loss is their mean, and so
is the penalty: a strength means the same for each, however many there are.
"""
JOINT = "single_label_classification"
"""The problem whose outputs share one loss."""
WORSE = 2
"""The search ends after as many weaker strengths in a row that validate worse than the best."""
ITERATIONS = 200
"""Of L-BFGS, for each strength at most."""
MEMORY = 2**30
"""The most bytes that the features of a split may take; more rows are left to the steps."""


@dataclass(frozen=True)
class Inputs:
    """Inputs of the layer for all rows of a split, and what the loss does."""

    features: Tensor
    """[N, D], standardised."""
    targets: Batch
    output: str
    """The name under which the head gives what the layer computed."""
    weights: np.ndarray | None
    """[N]: what each row counts for; None: all the same."""


def solve(
    run: Run, forward: Forward, standard: Standard | None, progress: Progress
) -> dict[str, Any] | None:
    """Give the layer the minimum of its loss, if that validates no worse than the best so far.

    Returns the line that tells of it, as one more end of the last epoch; ``progress`` knows of it
    too. None, and the layer as it was, where it does not, where the plan has no lone linear layer,
    or where the minimum cannot be computed: no validation rows, inputs that change at every step,
    several processes.
    """
    if standard is None or run.recipe.training.solve == "off" or run.world.size > 1:
        return None
    if run.resolved.task_options.get(HIDES):  # other branches at every step
        return None
    if "validation" not in run.rows or not _fits(run, standard.layer):
        return None
    try:
        check_inputs(replay_setting(run))
        train, held_out = (
            _inputs(run, forward, standard, split) for split in ("train", "validation")
        )
    except UnfitError as error:
        log.info("the layer is kept as the steps left it: %s", error)
        return None
    before = {name: value.clone() for name, value in standard.layer.state_dict().items()}
    strength = _search(run, standard, train, held_out)
    metrics = validate(run, forward, None)
    if not metrics["loss"] <= _best_loss(progress):
        standard.layer.load_state_dict(before)
        return None
    log.info(
        "the layer is solved for with an L2 of %g: validation loss %.4g", strength, metrics["loss"]
    )
    progress.best, progress.best_loss = metrics[run.objective.monitor], metrics["loss"]
    progress.best_step = progress.step
    ended = {"epoch": progress.epochs, "step": progress.step}
    progress.history.append({**ended, "metrics": metrics})
    return {**ended, "solved": strength, "validation": metrics}


def _best_loss(progress: Progress) -> float:
    """Of the weights that were kept; infinite where none was validated."""
    kept = [entry["metrics"] for entry in progress.history if entry["step"] == progress.best_step]
    return float(kept[-1].get("loss", math.inf)) if kept else math.inf


def _fits(run: Run, layer: nn.Linear) -> bool:
    most = max(len(run.rows[split]) for split in ("train", "validation"))
    return most * layer.in_features * 4 <= MEMORY


def _search(run: Run, standard: Standard, train: Inputs, held_out: Inputs) -> float:
    """The best strength of L2, from strong to weak; the layer is left with its solution."""
    layer = standard.layer
    weights = [torch.zeros_like(value, requires_grad=True) for value in layer.parameters()]
    joint = run.objective.problem_type == JOINT
    problems = 1 if joint else layer.out_features
    best = (math.inf, STRENGTHS[0], [value.detach().clone() for value in weights])
    worse = 0
    for strength in STRENGTHS:
        _minimise(run, train, weights, strength / problems)
        with torch.no_grad():
            loss = float(_loss(run, held_out, weights))
        worse = 0 if loss < best[0] else worse + 1
        if not worse:
            best = (loss, strength, [value.detach().clone() for value in weights])
        if worse == WORSE:
            break
    with torch.no_grad():
        for parameter, value in zip(layer.parameters(), best[2], strict=True):
            parameter.copy_(value)
    standard.back()
    return best[1]


def _minimise(run: Run, train: Inputs, weights: list[Tensor], strength: float) -> None:
    optimizer = torch.optim.LBFGS(
        weights,
        max_iter=ITERATIONS,
        tolerance_grad=1e-6,
        history_size=20,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = _loss(run, train, weights) + strength / 2 * weights[0].square().sum()
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)


def _loss(run: Run, inputs: Inputs, weights: list[Tensor]) -> Tensor:
    outputs = {inputs.output: F.linear(inputs.features, *weights)}
    return weighted(run.objective.loss(outputs, inputs.targets), inputs.weights).mean()


def _inputs(run: Run, forward: Forward, standard: Standard, split: str) -> Inputs:
    """Take a split through the graft in evaluation. Raises UnfitError if the head does more."""
    layer, parts, output, rows = standard.layer, [], "", []
    own = read_row(run.reader, run.rows[split].raw(0)).keys()
    with untouched(run.graft), _in_evaluation(run), _listening(layer) as seen:
        every = np.arange(len(run.rows[split]))
        for numbers, batch, outputs in evaluated(run, forward, split, every):
            (given, computed) = seen.pop()
            names = [name for name, value in outputs.items() if value is computed]
            if len(outputs) != 1 or not names or given.ndim != 2:
                raise UnfitError("the head computes more than one linear layer of pooled features")
            targets = {name: value for name, value in batch.items() if name not in own}
            parts.append({**targets, "": (given.float() - standard.mean) / standard.scale})
            output = names[0]
            rows.append(numbers)
    try:
        whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    except (RuntimeError, KeyError) as error:
        raise UnfitError("the rows' targets are of several shapes") from error
    weights = run.weights_of(np.concatenate(rows)) if split == "train" else None
    return Inputs(whole.pop(""), whole, output, weights)


@contextmanager
def _in_evaluation(run: Run) -> Iterator[None]:
    run.graft.eval()
    try:
        yield
    finally:
        run.plan.activate(0.0)


@contextmanager
def _listening(layer: nn.Linear) -> Iterator[list[tuple[Tensor, Tensor]]]:
    """What the layer was given, and what it made of it, at each call."""
    seen: list[tuple[Tensor, Tensor]] = []
    hook = layer.register_forward_hook(lambda module, given, made: seen.append((given[0], made)))
    try:
        yield seen
    finally:
        hook.remove()
