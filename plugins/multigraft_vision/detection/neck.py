"""Feature pyramid network with a path back up (Lin et al. 2017; Liu et al. 2018): every level
sees finer and coarser ones."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8


def convolution(width: int, *, stride: int = 1) -> nn.Sequential:
    """3 x 3, normalised within each row, so that a row's answer depends on no other."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False),
        nn.GroupNorm(GROUPS, width),
        nn.ReLU(),
    )


class Neck(nn.Module):
    """Maps of a backbone's levels, [B, C, H, W] each, to as many of one width."""

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(each, width, 1) for each in channels)
        self.down = nn.ModuleList(convolution(width) for _ in channels)
        self.up = nn.ModuleList(convolution(width, stride=2) for _ in channels[1:])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Finest first, as they come."""
        found = [layer(each) for layer, each in zip(self.lateral, maps, strict=True)]
        for index in range(len(found) - 2, -1, -1):
            size = found[index].shape[-2:]
            found[index] = found[index] + F.interpolate(found[index + 1], size=size)
        found = [layer(each) for layer, each in zip(self.down, found, strict=True)]
        for index, layer in enumerate(self.up, 1):
            found[index] = found[index] + layer(found[index - 1])
        return found
