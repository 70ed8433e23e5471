"""Points of a pyramid: the centres of all cells of its maps, each of which may tell one object."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def points(sizes: Sequence[tuple[int, int]], strides: Sequence[int]) -> Tensor:
    """x, y and stride of every cell of maps of these heights and widths, [P, 3].

    >>> points([(1, 2)], [8]).tolist()
    [[4.0, 4.0, 8.0], [12.0, 4.0, 8.0]]
    """
    return torch.cat(
        [
            _level(height, width, stride)
            for (height, width), stride in zip(sizes, strides, strict=True)
        ]
    )


def points_of(height: int, width: int, strides: Sequence[int]) -> Tensor:
    """Those of an input of that many pixels."""
    sizes = [(-(-height // stride), -(-width // stride)) for stride in strides]
    return points(sizes, strides)


def boxes_at(places: Tensor, distances: Tensor) -> Tensor:
    """Boxes [B, P, 4] (left, top, right, bottom) from the distances of their sides to points [P,
    3], in strides (Tian et al. 2019, equation 1)."""
    centre, stride = places[:, :2], places[:, 2:]
    sides = distances * stride
    return torch.cat([centre - sides[..., :2], centre + sides[..., 2:]], dim=-1)


def _level(height: int, width: int, stride: int) -> Tensor:
    y = (torch.arange(height, dtype=torch.float32) + 0.5) * stride
    x = (torch.arange(width, dtype=torch.float32) + 0.5) * stride
    across, down = x.repeat(height), y.repeat_interleave(width)
    return torch.stack([across, down, torch.full_like(across, float(stride))], dim=1)
