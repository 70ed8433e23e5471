"""Which branches of a row are read: those that it has, and in training not those that are
hidden."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Features

NEVER = -1e4
"""What is added to a score so that a softmax gives it nothing: not minus infinity, of which a row
that has nothing at all would make NaN."""


class Presence(nn.Module):
    """Modality dropout: hides branches of a row at random while training, but never all it has
    (Neverova et al. 2016, "ModDrop", arXiv:1501.00102, drops them all independently)."""

    def __init__(self, hides: float) -> None:
        super().__init__()
        self.hides = hides

    def forward(self, features: Features) -> Tensor | None:
        """[B, branches] of 0 and 1; None where every row has all and none is hidden."""
        there = features.present
        if not self.training or not self.hides:
            return there
        if there is None:
            rows, branches = len(features.pooled), len(features.branches)
            there = features.pooled.new_ones(rows, branches)
        return hidden(there, self.hides)


def hidden(there: Tensor, share: float) -> Tensor:
    """[B, branches] of 0 and 1, each 1 made a 0 with that probability; where a row would have none,
    the one stays that was drawn last to go."""
    drawn = torch.rand(there.shape, device=there.device).masked_fill(there == 0, -1.0)
    kept = drawn >= share
    last = torch.zeros_like(kept).scatter(1, drawn.argmax(1, keepdim=True), True)
    return ((kept | last) & (there > 0)).to(there.dtype)
