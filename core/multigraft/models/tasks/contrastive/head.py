"""The head of a dual encoder: a projection of each branch, and a temperature that is learned."""

from __future__ import annotations

import math
from collections.abc import Mapping

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
        self, widths: Mapping[str, int], width: int, *, temperature: float, biased: bool
    ) -> None:
        super().__init__()
        self.names = tuple(widths)
        self.projections = nn.ModuleList(
            nn.Linear(own, width, bias=False) for own in widths.values()
        )
        for layer in self.projections:  # as CLIP's: directions alone count, so any scale would do
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)))
        self.bias = nn.Parameter(torch.tensor(FIRST_BIAS)) if biased else None

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """A row that lacks a branch has zeros for its embedding."""
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

    def _scale(self) -> Tensor:
        """The scale, held below `MOST` after a step that went beyond, so that it may come back."""
        most = math.log(MOST)
        if self.training and self.log_scale.requires_grad:
            with torch.no_grad():
                self.log_scale.clamp_(max=most)
            return self.log_scale.float().exp()  # a clamp here would stop the gradient at the bound
        return self.log_scale.float().clamp(max=most).exp()


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors.float(), dim=-1)
