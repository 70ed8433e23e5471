"""Verify a replay before it is trusted: what learns must get what recomputing gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from torch import nn

from multigraft.contracts.types import Arrays
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
from multigraft.training.replay.trial import Trial, evaluating


def tried(trial: Trial, player: Player, precision: str) -> Player:
    """Test that a player gives what recomputing gives, in fp32 too, where rounding hides no leak.

    Raises UnfitError where it does not, and whatever the network raises.
    """
    full = player.computing_in(nullcontext, trial.arrays(player, trial.index[0]))
    plain, parts = _tried(trial, full, "fp32")
    player = replace(player, hollow=plain.hollow)
    if precision != "fp32":
        player, parts = _tried(trial, player, precision)
    check_kept(trial, player, parts, precision)
    return player


def _tried(trial: Trial, player: Player, precision: str) -> tuple[Player, Sequence[Arrays]]:
    for mode in _modes(trial.graft):
        with mode(trial.graft):
            check_source(trial, player)
    parts = steady(trial, player, precision)
    player = _hollow_or_not(trial, player, parts)
    for mode in _modes(trial.graft):
        with mode(trial.graft):
            check_rest(trial, player, parts)
    if trial.graft.training and precision == "fp32":
        check_gradients(trial, player, parts)
        if len({tuple(array.shape for array in part.values()) for part in parts}) > 1:
            check_losses(trial, player, parts, precision)
    with evaluating(trial.graft):
        check_alone(trial, player, precision)
        check_together(trial, player, parts, precision)
    return player, parts


def _modes(graft: nn.Module) -> Sequence[Callable[[nn.Module], Any]]:
    """The present one, and the one in which validations compute."""
    return [nullcontext, evaluating] if graft.training else [nullcontext]


def _hollow_or_not(trial: Trial, player: Player, parts: Sequence[Arrays]) -> Player:
    """The player whose zeros take memory, where something between the blocks writes into them."""
    batch = trial.batch(trial.index)
    try:
        with player.autocast():
            player.rest(trial.graft, batch, parts)
    except UnfitError:
        raise
    except Exception:
        player = replace(player, hollow=False)
        with player.autocast():
            player.rest(trial.graft, batch, parts)
    return player
