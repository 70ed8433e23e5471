"""Concatenation: the branches' vectors side by side, where some are hidden in training."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Features
from multigraft.models.fusion.presence import Presence


class Concatenation(nn.Module):
    """[B, sum of D]; zeros for a branch that is absent or hidden."""

    def __init__(self, widths: Mapping[str, int], width: int, hides: float) -> None:
        super().__init__()
        self.presence = Presence(hides)

    def forward(self, features: Features) -> Tensor:
        """The vectors, those of hidden branches 0."""
        there = self.presence(features)
        if there is None or there is features.present:
            return features.pooled
        each = [
            branch.pooled.float() * there[:, place : place + 1]
            for place, branch in enumerate(features.branches.values())
        ]
        return torch.cat(each, dim=1)
