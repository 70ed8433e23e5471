"""What the frozen part of a graft gives for a row, computed once, kept, and gone on from."""

from multigraft.replay.frozen import UnfitError
from multigraft.replay.player import Autocast, Player, Replayed, tensors
from multigraft.replay.policy import Setting, check_inputs, open_player, pooled, untouched

__all__ = [
    "Autocast",
    "Player",
    "Replayed",
    "Setting",
    "UnfitError",
    "check_inputs",
    "open_player",
    "pooled",
    "tensors",
    "untouched",
]
