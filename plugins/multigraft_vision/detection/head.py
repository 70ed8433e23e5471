"""Detection head: at every point of the pyramid how likely each class is, where the sides of the
object lie, and how near its middle is (Tian et al. 2019, FCOS, without anchors)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from multigraft import Features
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft_vision.detection.neck import Neck
from multigraft_vision.detection.points import boxes_at, points

GROUPS = 8
"""Of channels that are normalised together."""
PRIOR = 0.01
"""The probability of every class at first, so that the many points without an object do not drown
the others (Lin et al. 2017, focal loss, section 4.1)."""
REACH = 3.0
"""Strides from a point to each side at first: a level begins with objects of its own size."""
FARTHEST = 7.0
"""The largest logarithm of a distance in strides."""


class DetectionHead(nn.Module):
    """A neck, and two towers of convolutions that all levels share: of classes, and of sides and
    the middle."""

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        *,
        classes: int,
        width: int,
        depth: int,
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.neck = Neck(channels, width)
        self.class_tower = nn.Sequential(*(convolution(width) for _ in range(depth)))
        self.side_tower = nn.Sequential(*(convolution(width) for _ in range(depth)))
        self.classes = nn.Conv2d(width, classes, 3, padding=1)
        self.sides = nn.Conv2d(width, 4, 3, padding=1)
        self.middle = nn.Conv2d(width, 1, 3, padding=1)
        self.scales = nn.Parameter(torch.full((len(strides),), math.log(REACH)))
        self._start()

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """Maps [B, C, H, W] to {"logits": [B, P, classes], "middle": [B, P], the logit of the
        centre-ness, "boxes": [B, P, 4]}, in the input's pixels."""
        del batch
        maps = self.neck(features.maps[-len(self.strides) :])
        places = points([_size(each) for each in maps], self.strides).to(maps[0].device)
        logits = [self.classes(self.class_tower(each)) for each in maps]
        towers = [self.side_tower(each) for each in maps]
        sides = [
            self.sides(each).float() + scale
            for each, scale in zip(towers, self.scales.unbind(), strict=True)
        ]
        middle = [self.middle(each) for each in towers]
        distances = _listed(sides).clamp(max=FARTHEST).exp()
        return {
            "logits": _listed(logits).float(),
            "middle": _listed(middle).float().squeeze(2),
            "boxes": boxes_at(places, distances),
        }

    def _start(self) -> None:
        """As torchvision's FCOS begins."""
        for layer in self.neck.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight, a=1)
                nn.init.zeros_(layer.bias)
        for part in (self.class_tower, self.side_tower, self.classes, self.sides, self.middle):
            for layer in part.modules():
                if isinstance(layer, nn.Conv2d):
                    nn.init.normal_(layer.weight, std=0.01)
        for layer in (self.sides, self.middle):
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.classes.bias, -math.log((1 - PRIOR) / PRIOR))


def convolution(width: int) -> nn.Sequential:
    """3 x 3, normalised within each row, so that a row's answer depends on no other."""
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False), nn.GroupNorm(GROUPS, width), nn.ReLU()
    )


def head_on(backbone: Any, *, classes: int, width: int, depth: int, finest: int) -> DetectionHead:
    """The head for a backbone's levels from the stride ``finest`` on, or its coarsest one."""
    levels = [each for each in backbone.levels if each.stride >= finest] or backbone.levels[-1:]
    return DetectionHead(
        [each.channels for each in levels],
        [each.stride for each in levels],
        classes=classes,
        width=width,
        depth=depth,
    )


def _size(found: Tensor) -> tuple[int, int]:
    return int(found.shape[-2]), int(found.shape[-1])


def _listed(maps: Sequence[Tensor]) -> Tensor:
    """Maps [B, C, H, W] as the points of all of them, [B, P, C]."""
    return torch.cat([each.flatten(2) for each in maps], dim=2).transpose(1, 2)
