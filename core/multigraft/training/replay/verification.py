"""Verify a replay before it is trusted: what learns must get what recomputing gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from torch import nn

from multigraft.contracts.types import Arrays
from multigraft.models.modes import evaluating
from multigraft.system.compute.precision import FP32
from multigraft.training.replay.comparison import (
    check_alone,
    check_gradients,
    check_kept,
    check_losses,
    check_together,
    steady,
)
from multigraft.training.replay.dependencies import check_rest, check_source
from multigraft.training.replay.frozen import UnfitError
from multigraft.training.replay.player import Player
from multigraft.training.replay.trial import Trial


def tried(trial: Trial, player: Player) -> Player:
    """Test that a player gives what recomputing gives, in fp32 too, where rounding hides no leak.

    Raises UnfitError where it does not, and whatever the network raises.
    """
    full = player.computing_in(FP32, trial.arrays(player, trial.index[0]))
    plain, parts = _tried(trial, full)
    player = replace(player, hollow=plain.hollow)
    if player.precision.name != "fp32":
        player, parts = _tried(trial, player)
    check_kept(trial, player, parts)
    return player


def _tried(trial: Trial, player: Player) -> tuple[Player, Sequence[Arrays]]:
    for mode in _modes(trial.graft):
        with mode(trial.graft):
            check_source(trial, player)
    parts = steady(trial, player)
    player = _hollow_or_not(trial, player, parts)
    for mode in _modes(trial.graft):
        with mode(trial.graft):
            check_rest(trial, player, parts)
    if trial.graft.training and player.precision.name == "fp32":
        check_gradients(trial, player, parts)
        if len({tuple(array.shape for array in part.values()) for part in parts}) > 1:
            check_losses(trial, player, parts)
    with evaluating(trial.graft):
        check_alone(trial, player)
        check_together(trial, player, parts)
    return player, parts


def _modes(graft: nn.Module) -> Sequence[Callable[[nn.Module], Any]]:
    """The present one, and the one in which validations compute."""
    return [nullcontext, evaluating] if graft.training else [nullcontext]


def _hollow_or_not(trial: Trial, player: Player, parts: Sequence[Arrays]) -> Player:
    """The player whose zeros take memory, where something between the blocks writes into them."""
    batch = trial.batch(trial.index)
    try:
        with player.precision.autocast():
            player.rest(trial.graft, batch, parts)
    except UnfitError:
        raise
    except Exception:
        player = replace(player, hollow=False)
        with player.precision.autocast():
            player.rest(trial.graft, batch, parts)
    return player
