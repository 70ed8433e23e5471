"""Feature pyramids: the maps that a timm network gives on its way, each at the cells of its
stride."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import Tensor
from torch.nn import functional as F

from multigraft import Level, MultigraftError
from multigraft_vision.survey import Layout, blank, memoized, refused_size

FINEST = 4
"""The finest stride that is a level; what lies below costs more than it tells."""
LOST = 6
"""The most cells that convolutions without padding cut off a map, as Inception's do."""
PLAIN = 10
"""The finest stride that the one map of a plain transformer is enlarged to is at most this."""


@dataclass(frozen=True)
class Pyramid:
    """The levels of one network at one input size."""

    levels: tuple[Level, ...] = ()
    indices: tuple[int, ...] = ()
    """Of timm's ``forward_intermediates``; empty where levels are the last map, resampled."""


@memoized
def surveyed(
    name: str, cfg: Mapping[str, Any], args: Mapping[str, Any], size: tuple[int, int]
) -> Pyramid:
    """Run the architecture once on tensors without memory; no levels where it has no maps.

    Raises MultigraftError for a size that it does not take, or of which it gives no maps although
    it has some.
    """
    with torch.device("meta"):
        network: Any = timm.create_model(name, pretrained_cfg=dict(cfg), num_classes=0, **args)
        found = _maps(network.eval(), name, cfg, args, size)
    if found is None:
        return Pyramid()
    told = [info["reduction"] for info in network.feature_info]
    strides = [_stride(each, size, near) for each, near in zip(found, told, strict=False)]
    last = {stride: index for index, stride in enumerate(strides) if stride is not None}
    if None in strides or len(strides) != len(found) or not last:
        return Pyramid()
    if len(last) == 1:
        return Pyramid(_resampled(found[-1].shape[1], *last))
    chosen = {stride: last[stride] for stride in sorted(last) if stride >= FINEST}
    levels = tuple(Level(found[index].shape[1], stride) for stride, index in chosen.items())
    return Pyramid(levels, tuple(chosen.values()))


def _maps(
    network: Any, name: str, cfg: Mapping[str, Any], args: Mapping[str, Any], size: tuple[int, int]
) -> Sequence[Tensor] | None:
    """timm's ``forward_intermediates``; None where the network gives none at any size."""
    with refused_size(name, cfg, args, size):
        network.forward_features(blank(args, size))
    if not hasattr(network, "forward_intermediates"):
        return None
    try:
        return network.forward_intermediates(blank(args, size))[1]
    except NotImplementedError:
        return None
    except (RuntimeError, AssertionError) as error:
        whole = cfg["input_size"][1:]
        if tuple(whole) == size or not _gives_maps(network, blank(args, whole)):
            return None
        raise MultigraftError(
            f"{name} has no levels of images of {size[0]} x {size[1]} ({error}); set reader.size "
            f"to {list(whole)}, of which it has some"
        ) from error


def _gives_maps(network: Any, images: Tensor) -> bool:
    with suppress(RuntimeError, AssertionError):
        network.forward_intermediates(images)
        return True
    return False


def _stride(found: Tensor, size: tuple[int, int], told: float) -> int | None:
    """The stride of a map [B, C, H, W], by what timm tells and what is there."""
    if found.ndim != 4:
        return None
    ratio = size[0] / found.shape[2]
    for stride in (round(told), 2 ** round(math.log2(ratio)), round(ratio)):
        lost = [
            side - there for side, there in zip(cells(size, stride), found.shape[2:], strict=True)
        ]
        if all(0 <= each <= LOST for each in lost):
            return stride
    return None


def _resampled(channels: int, stride: int) -> tuple[Level, ...]:
    """Three levels of one map, the finest at a stride of 8 or so (Li et al. 2022, plain
    backbones)."""
    while stride > PLAIN and stride % 2 == 0:
        stride //= 2
    return tuple(Level(channels, stride * scale) for scale in (1, 2, 4))


def cells(size: Sequence[int], stride: int) -> tuple[int, int]:
    """How many cells down and across a level has."""
    return -(-size[0] // stride), -(-size[1] // stride)


def computed(
    network: Any, layout: Layout, pixels: Tensor, found: Pyramid
) -> tuple[Any, tuple[Tensor, ...]]:
    """timm's features of pixels [B, 3, H, W], and a map for each level."""
    size = pixels.shape[2:]
    if not found.indices:
        features = network.forward_features(pixels)
        (whole,) = as_maps(network, layout, features)
        return features, tuple(_at(whole, cells(size, level.stride)) for level in found.levels)
    features, maps = network.forward_intermediates(pixels, indices=list(found.indices))
    own = as_maps(network, layout, features)
    if own and own[0].shape == maps[-1].shape:  # the last one as it is handed on, normalised
        maps = [*maps[:-1], *own]
    levels = zip(maps, found.levels, strict=True)
    return features, tuple(_completed(each, cells(size, level.stride)) for each, level in levels)


def as_maps(network: Any, layout: Layout, features: Any) -> tuple[Tensor, ...]:
    """timm's ``forward_features`` as a map [B, C, H, W]; none where it is no such thing."""
    if layout == "NCHW":
        return (features,)
    if layout == "NHWC":
        return (features.permute(0, 3, 1, 2),)
    return _grid(network, features) if layout == "tokens" else ()


def _grid(network: Any, tokens: Tensor) -> tuple[Tensor, ...]:
    """The patch tokens as a map, where the network says how they lie."""
    grid = getattr(getattr(network, "patch_embed", None), "grid_size", None)
    before = getattr(network, "num_prefix_tokens", 0)
    if grid is None or tokens.shape[1] - before != grid[0] * grid[1]:
        return ()
    return (tokens[:, before:].transpose(1, 2).unflatten(2, tuple(grid)),)


def _at(whole: Tensor, size: tuple[int, int]) -> Tensor:
    """A map with so many cells: enlarged bilinearly, or the mean of those that one covers."""
    if size[0] >= whole.shape[2]:
        return F.interpolate(whole, size, mode="bilinear") if size != whole.shape[2:] else whole
    scale = round(whole.shape[2] / size[0])
    pooled = F.avg_pool2d(whole, scale, ceil_mode=True, count_include_pad=False)
    return _completed(pooled, size)


def _completed(found: Tensor, size: tuple[int, int]) -> Tensor:
    """Continue a map's edges, evenly on both sides, where convolutions without padding lost
    cells."""
    down, across = size[0] - found.shape[2], size[1] - found.shape[3]
    if not down and not across:
        return found
    edges = (across // 2, across - across // 2, down // 2, down - down // 2)
    return F.pad(found, edges, mode="replicate")
