"""Overlap of boxes as tensors: intersection over union, and its generalised form."""

from __future__ import annotations

import torch
from torch import Tensor


def pairwise(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union [B, N, M] of boxes [B, N, 4] and [B, M, 4]."""
    left_top = torch.maximum(one[:, :, None, :2], other[:, None, :, :2])
    right_bottom = torch.minimum(one[:, :, None, 2:], other[:, None, :, 2:])
    shared = (right_bottom - left_top).clamp(min=0).prod(-1)
    whole = _area(one)[:, :, None] + _area(other)[:, None] - shared
    return shared / whole.clamp(min=1e-9)


def generalised(one: Tensor, other: Tensor) -> Tensor:
    """Generalised intersection over union [...] of boxes [..., 4] with those at the same place,
    from -1 to 1 (Rezatofighi et al. 2019, algorithm 1)."""
    shared_sides = torch.minimum(one[..., 2:], other[..., 2:])
    shared_sides = shared_sides - torch.maximum(one[..., :2], other[..., :2])
    shared = shared_sides.clamp(min=0).prod(-1)
    union = (_area(one) + _area(other) - shared).clamp(min=1e-9)
    around_sides = torch.maximum(one[..., 2:], other[..., 2:])
    around_sides = around_sides - torch.minimum(one[..., :2], other[..., :2])
    around = around_sides.prod(-1).clamp(min=1e-9)
    return shared / union - (around - union) / around


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)
