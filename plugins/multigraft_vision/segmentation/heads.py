"""Heads that classify every cell of a pyramid's finest level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Features, Level
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs

GROUPS = 8
LOGITS = "logits"


class Classifier(nn.Module):
    """Dropout of whole channels, and a linear layer at each cell."""

    def __init__(self, width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout2d(dropout)
        self.linear = nn.Conv2d(width, classes, 1)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, width, H, W] to [B, classes, H, W]."""
        logits: Tensor = self.linear(self.dropout(hidden))
        return logits.float()


class PyramidHead(nn.Module):
    """Coarse levels are added to finer ones, and the finest is smoothed (Kirillov et al. 2019).

    Normalised within each row, so that a row's answer depends on no other.
    """

    def __init__(self, levels: Sequence[Level], width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(level.channels, width, 1) for level in levels)
        self.smooth = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(),
        )
        self.classifier = Classifier(width, classes, dropout)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """``logits`` [B, classes, h, w] at the cells of the finest level."""
        del batch
        maps = [layer(each) for layer, each in zip(self.lateral, features.maps, strict=True)]
        whole = maps[-1]
        for each in reversed(maps[:-1]):
            whole = each + resampled(whole, each)
        return {LOGITS: self.classifier(self.smooth(whole))}


class LinearsHead(nn.Module):
    """SegFormer's head: a linear layer for each level, enlarged, joined and mixed (Xie et al.
    2021)."""

    def __init__(self, levels: Sequence[Level], width: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.ModuleList(nn.Conv2d(level.channels, width, 1) for level in levels)
        self.mix = nn.Sequential(
            nn.Conv2d(width * len(levels), width, 1, bias=False),
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(),
        )
        self.classifier = Classifier(width, classes, dropout)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """``logits`` [B, classes, h, w] at the cells of the finest level."""
        del batch
        maps = [layer(each) for layer, each in zip(self.linear, features.maps, strict=True)]
        joined = torch.cat([resampled(each, maps[0]) for each in maps], dim=1)
        return {LOGITS: self.classifier(self.mix(joined))}


HEADS = {"fpn": PyramidHead, "mlp": LinearsHead}


def resampled(found: Tensor, like: Tensor) -> Tensor:
    """A map at the cells of another, bilinearly."""
    size = like.shape[-2:]
    if found.shape[-2:] == size:
        return found
    return F.interpolate(found, size=size, mode="bilinear", align_corners=False)
