"""Cross-attention: each branch's vector asks all positions of all branches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Features
from multigraft.models.fusion.presence import NEVER, Presence

HEAD = 64
"""The width of an attention head, at the most."""


class CrossAttention(nn.Module):
    """One layer of attention (Vaswani et al. 2017) from the branches' pooled vectors to their
    sequences, and the mean over the branches that a row has.

    A branch is projected to one width and marked with a vector of its own; one without a sequence
    has one position, its pooled vector. Absent and hidden branches are neither asked nor asking.
    """

    def __init__(self, widths: Mapping[str, int], width: int, hides: float) -> None:
        super().__init__()
        self.presence = Presence(hides)
        self.heads = next(
            heads for heads in range(-(-width // HEAD), width + 1) if width % heads == 0
        )
        self.inputs = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(each), nn.Linear(each, width)) for each in widths.values()
        )
        self.marks = nn.Parameter(torch.empty(len(widths), width).normal_(std=0.02))
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.last_norm = nn.LayerNorm(width)

    def forward(self, features: Features) -> Tensor:
        """[B, width]."""
        there = self.presence(features)
        asking, positions, masks = [], [], []
        for place, branch in enumerate(features.branches.values()):
            own = None if there is None else there[:, place : place + 1] > 0
            asking.append(self._marked(branch.pooled.unsqueeze(1), place))
            sequence, mask = _positions(branch, own)
            positions.append(self._marked(sequence, place))
            masks.append(mask)
        queries = torch.cat(asking, dim=1)
        found = queries + self._attend(queries, torch.cat(positions, 1), torch.cat(masks, 1))
        return _mean(self.last_norm(found).float(), there)

    def _marked(self, vectors: Tensor, place: int) -> Tensor:
        projected: Tensor = self.inputs[place](vectors.float())
        return projected + self.marks[place]

    def _attend(self, queries: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """[B, Q, D], [B, T, D], [B, T] bool -> [B, Q, D]."""
        query = self._by_head(self.query(self.norm(queries)))
        key, value = map(self._by_head, self.key_value(self.norm(positions)).chunk(2, dim=-1))
        bias = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, NEVER)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=bias[:, None, None])
        attended: Tensor = self.output(found.transpose(1, 2).flatten(2))
        return attended

    def _by_head(self, vectors: Tensor) -> Tensor:
        """[B, T, D] -> [B, heads, T, D / heads]."""
        return vectors.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def _positions(branch: Features, own: Tensor | None) -> tuple[Tensor, Tensor]:
    """The positions of a branch [B, T, D], and which of them can be asked [B, T]."""
    if branch.sequence is None:
        sequence, mask = branch.pooled.unsqueeze(1), None
    else:
        sequence, mask = branch.sequence, branch.mask
    if mask is None:
        mask = torch.ones(sequence.shape[:2], dtype=torch.bool, device=sequence.device)
    return sequence, mask if own is None else mask & own


def _mean(vectors: Tensor, there: Tensor | None) -> Tensor:
    """The mean of those that are there: [B, branches, D], [B, branches] -> [B, D]."""
    if there is None:
        return vectors.mean(1)
    weights = there.to(vectors.dtype)
    return (vectors * weights.unsqueeze(-1)).sum(1) / weights.sum(1, keepdim=True).clamp(min=1)
