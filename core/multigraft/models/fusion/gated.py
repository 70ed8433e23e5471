"""Gated sum: the branches' vectors added with weights that depend on all of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Features
from multigraft.models.fusion.presence import NEVER, Presence


class GatedSum(nn.Module):
    """Gated multimodal unit (Arevalo et al. 2017, arXiv:1702.01992) of any number of branches.

    Each vector is normalised, projected to one width and squashed by tanh; the weights are a
    softmax over the branches that a row has, of one linear layer on all vectors.
    """

    def __init__(self, widths: Mapping[str, int], width: int, hides: float) -> None:
        super().__init__()
        self.presence = Presence(hides)
        self.norms = nn.ModuleList(nn.LayerNorm(each) for each in widths.values())
        self.project = nn.ModuleList(nn.Linear(each, width) for each in widths.values())
        self.gate = nn.Linear(sum(widths.values()), len(widths))

    def forward(self, features: Features) -> Tensor:
        """[B, width]."""
        there = self.presence(features)
        vectors = [
            norm(branch.pooled.float())
            for norm, branch in zip(self.norms, features.branches.values(), strict=True)
        ]
        if there is not None:
            vectors = [vector * there[:, place : place + 1] for place, vector in enumerate(vectors)]
        gates = self.gate(torch.cat(vectors, dim=1)).float()
        if there is not None:
            gates = gates.masked_fill(there == 0, NEVER)
        told = [layer(vector).tanh() for layer, vector in zip(self.project, vectors, strict=True)]
        fused: Tensor = (torch.stack(told, dim=1) * gates.softmax(1).unsqueeze(-1)).sum(1)
        return fused
