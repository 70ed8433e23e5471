"""The head of a dual encoder: a projection of each branch, and a temperature that is learned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Outputs
from multigraft.runtime.answers.embeddings import BIAS, SCALE, output_of

MOST = 100.0
"""The most that cosines are multiplied with (Radford et al. 2021, 2.5)."""
FIRST_BIAS = -10.0
"""Nearly all pairs of a batch do not belong together (Zhai et al. 2023, 3.2)."""


class DualHead(nn.Module):
    """Linear projections to unit vectors of one width, a scale of their cosines and, where each
    pair is judged, a bias.

    ``<branch>_embedding`` [B, width] of each branch, ``scale`` [B], ``bias`` [B].
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        width: int,
        *,
        log_scale: float,
        bias: float | None,
        brought: Mapping[str, nn.Module] = MappingProxyType({}),
    ) -> None:
        """``widths`` are the branches' own; what some ``brought`` along projects them."""
        super().__init__()
        self.names = tuple(widths)
        self.projections = nn.ModuleList(
            brought[name] if name in brought else nn.Linear(own, width, bias=False)
            for name, own in widths.items()
        )
        for name, layer in zip(self.names, self.projections, strict=True):
            if name not in brought:  # as CLIP's: directions alone count, so any scale would do
                nn.init.normal_(layer.weight, std=widths[name] ** -0.5)
        self.log_scale = nn.Parameter(torch.tensor(log_scale))
        self.bias = None if bias is None else nn.Parameter(torch.tensor(bias))
        self._most = max(math.log(MOST), float(self.log_scale.detach()))

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """A row that lacks a branch has zeros for its embedding, unless a projection has a bias."""
        del batch
        found = {
            output_of(name): _unit(layer(features.branches[name].pooled))
            for name, layer in zip(self.names, self.projections, strict=True)
        }
        ones = features.pooled.new_ones(len(features.pooled), dtype=torch.float32)
        found[SCALE] = self._scale() * ones
        if self.bias is not None:
            found[BIAS] = self.bias.float() * ones
        return found

    def logits(self) -> tuple[float, float | None]:
        """What makes logits of cosines: the log of their scale, and the bias where there is one."""
        bias = None if self.bias is None else float(self.bias.detach())
        return min(float(self.log_scale.detach()), self._most), bias

    def _scale(self) -> Tensor:
        """The scale, held below `MOST`, or below what the weights began with, after a step that
        went beyond, so that it may come back."""
        if self.training and self.log_scale.requires_grad:
            with torch.no_grad():
                self.log_scale.clamp_(max=self._most)
            return self.log_scale.float().exp()  # a clamp here would stop the gradient at the bound
        return self.log_scale.float().clamp(max=self._most).exp()


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.float(), dim=-1)
