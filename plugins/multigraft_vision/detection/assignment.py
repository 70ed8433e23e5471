"""Centre sampling: which points learn which object, by where they lie alone (Tian et al. 2019,
FCOS, sections 3.1 and 3.2; around centres as in their paper of 2020)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from multigraft_vision.detection.object_rows import CROWD

RADIUS = 1.5
"""Strides from an object's centre within which a point learns it."""
NEAR, FAR = 4.0, 8.0
"""Strides to the farthest side of an object, between which a level learns it; the finest level
learns nearer ones too, the coarsest farther ones."""


@dataclass(frozen=True)
class Assignment:
    """What each point of each row is to learn."""

    objects: Tensor
    """[B, P]: the number of its object in the row; where there is none, 0."""
    learned: Tensor
    """[B, P] bool: whether it has one."""
    ignored: Tensor
    """[B, P] bool: within a crowd, and of no object."""


@torch.no_grad()
def assign(places: Tensor, objects: Tensor, labels: Tensor) -> Assignment:
    """For points [P, 3] and objects [B, N, 4] with labels [B, N], N > 0; of several objects a point
    learns the smallest."""
    sides = _sides(places, objects)  # [B, N, P, 4]
    inside, off = sides.amin(-1) > 0, _off_centre(places, objects)
    stride = places[:, 2]
    # a small object may lie between all points
    able = (inside & (off < RADIUS * stride)) | (off <= stride / 2)
    able &= _of_level(sides.amax(-1), stride) & (labels >= 0).unsqueeze(-1)
    area = (objects[..., 2:] - objects[..., :2]).prod(-1).unsqueeze(-1)
    least, number = torch.where(able, area, torch.inf).min(1)
    learned = least < torch.inf
    crowded = (inside & (labels == CROWD).unsqueeze(-1)).any(1)
    return Assignment(number * learned, learned, crowded & ~learned)


def _sides(places: Tensor, objects: Tensor) -> Tensor:
    """How far the sides of objects lie from points, [B, N, P, 4]; negative outside."""
    centre, (left_top, right_bottom) = places[:, :2], objects.unsqueeze(2).split(2, dim=-1)
    return torch.cat([centre - left_top, right_bottom - centre], dim=-1)


def centreness(places: Tensor, boxes: Tensor) -> Tensor:
    """How near to the middle of their boxes [B, P, 4] points lie, [B, P]: 1 there, 0 at a side and
    outside (Tian et al. 2019, equation 3)."""
    centre = places[:, :2]
    before, behind = (centre - boxes[..., :2]).clamp(min=0), (boxes[..., 2:] - centre).clamp(min=0)
    least, most = torch.minimum(before, behind), torch.maximum(before, behind)
    return (least / most.clamp(min=1e-9)).prod(-1).sqrt()


def _off_centre(places: Tensor, objects: Tensor) -> Tensor:
    """The larger of the distances across and down to the centre of objects, [B, N, P]."""
    middle = (objects[..., :2] + objects[..., 2:]) / 2
    return (places[:, :2] - middle.unsqueeze(2)).abs().amax(-1)


def _of_level(farthest: Tensor, stride: Tensor) -> Tensor:
    """Whether an object whose farthest side is that far is learned at the level, [B, N, P]."""
    low = torch.where(stride == stride.min(), 0.0, NEAR * stride)
    high = torch.where(stride == stride.max(), torch.inf, FAR * stride)
    return (farthest > low) & (farthest < high)
