"""Data dependencies of a replay: numbers it lacks must reach nothing, whatever the weights are."""

from __future__ import annotations

from collections.abc import Sequence

from multigraft.contracts.features import Batch
from multigraft.contracts.types import Arrays
from multigraft.training.replay.frozen import MoreNeededError, UnfitError
from multigraft.training.replay.layout import join
from multigraft.training.replay.player import Player
from multigraft.training.replay.taint import RANDOM, Flow
from multigraft.training.replay.trial import MORE, Trial, dropout_layers

NUMBERS, LEARNS, SKIPPED, PASSED = "numbers", "learns", "skipped", "passed"
"""Marks: weights and what they multiply; what training changes; blocks that answer in a replay with
zeros, each by its number; what was computed of another batch."""


def check_source(trial: Trial, player: Player) -> None:
    """Raise UnfitError where the frozen part draws at random, reads what learns, or branches."""
    flow = _flow(trial)
    _pass_by(trial, player, flow)


def check_rest(trial: Trial, player: Player, parts: Sequence[Arrays]) -> None:
    """Raise UnfitError where the rest reads what a replay lacks, whatever the weights are."""
    flow = _flow(trial)
    _pass_by(trial, player, flow)
    batch = _marked(flow, trial.batch(trial.index))
    results = join(player.layouts, parts, player.device, hollow=player.hollow)
    for number, (layout, result) in enumerate(zip(player.layouts, results, strict=True)):
        flow.mark(result, NUMBERS if layout.whole else _skipped(number))
    with player.precision.autocast(), flow.following(), player.frozen.answering(results):
        outputs = trial.graft(batch)
    found = flow.marks(outputs)
    skipped = [number for number in range(len(results)) if _skipped(number) in found]
    if skipped:
        raise MoreNeededError(MORE, frozenset(skipped))
    if PASSED in found:
        raise UnfitError("what follows it reads what it kept of another batch")
    _check_decided(flow, NUMBERS, PASSED, *map(_skipped, range(len(results))))


def _skipped(number: int) -> str:
    """The mark of a block that answers in a replay with zeros."""
    return f"{SKIPPED} {number}"


def _flow(trial: Trial) -> Flow:
    flow = Flow()
    flow.mark(list(trial.graft.parameters()), NUMBERS)
    flow.mark(trial.changing, LEARNS)
    return flow


def _pass_by(trial: Trial, player: Player, flow: Flow) -> None:
    """Compute the frozen part of a batch, whose numbers are marked as passed."""
    batch = _marked(flow, trial.batch(trial.index))
    flow.mark(batch, PASSED)
    with player.precision.autocast(), flow.following():
        given = player.frozen.compute(batch)[-1]
    found = flow.marks(given)
    if RANDOM in found | flow.decided:
        raise UnfitError(
            f"{dropout_layers(trial.graft)} acts in front of the first block that learns"
        )
    if LEARNS in found:
        raise UnfitError("something that learns acts in front of its end")
    _check_decided(flow, NUMBERS)


def _marked(flow: Flow, batch: Batch) -> Batch:
    flow.mark([values for values in batch.values() if values.is_floating_point()], NUMBERS)
    return batch


def _check_decided(flow: Flow, *marks: str) -> None:
    if flow.decided & set(marks):
        raise UnfitError("which way it computes depends on the numbers of a batch")
    flow.decided.clear()
