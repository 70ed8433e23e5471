"""Feature pyramid network (Lin et al. 2017): every level sees coarser ones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F


class Neck(nn.Module):
    """Maps of a backbone's levels, [B, C, H, W] each, to as many of one width."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(each, width, 1) for each in channels)
        self.out = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Finest first, as they come."""
        found = [layer(each) for layer, each in zip(self.lateral, maps, strict=True)]
        for index in range(len(found) - 2, -1, -1):
            size = found[index].shape[-2:]
            found[index] = found[index] + F.interpolate(found[index + 1], size=size)
        return [layer(each) for layer, each in zip(self.out, found, strict=True)]
