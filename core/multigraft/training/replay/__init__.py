"""Feature replay: a frozen part's outputs for each row, computed once, kept and gone on from."""

from multigraft.training.replay.branches import Replay, having, of_branches
from multigraft.training.replay.eligibility import (
    Setting,
    check_inputs,
    open_player,
    pooled,
    untouched,
)
from multigraft.training.replay.frozen import UnfitError
from multigraft.training.replay.player import Player, Replayed, tensors

__all__ = [
    "Player",
    "Replay",
    "Replayed",
    "Setting",
    "UnfitError",
    "check_inputs",
    "having",
    "of_branches",
    "open_player",
    "pooled",
    "tensors",
    "untouched",
]
