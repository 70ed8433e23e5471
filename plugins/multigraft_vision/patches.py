"""Patches of timm's plain vision transformers, some of which are computed alone."""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import PatchEmbed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor

from multigraft import Patches


def patches_of(model: Any, size: tuple[int, int]) -> Patches | None:
    """How the patches of a timm network lie in an image of ``size``; None where it is no plain
    vision transformer, or looks across patches before its first block (a convolutional stem)."""
    embed: Any = getattr(model, "patch_embed", None)
    ours = VisionTransformer.forward_features
    if getattr(type(model), "forward_features", None) is not ours or type(embed) is not PatchEmbed:
        return None
    grid, patch = embed.grid_size, embed.patch_size
    if grid is None or (grid[0] * patch[0], grid[1] * patch[1]) != size:
        return None
    return Patches(grid=grid, size=patch, before=model.num_prefix_tokens)


def visible_features(model: Any, pixels: Tensor, visible: Tensor) -> Tensor:
    """timm's ``forward_features`` of the visible patches: [B, C, H, W], [B, K] -> [B, before + K,
    D].

    They are taken where timm's own ``patch_drop`` drops them, behind the position embedding.
    """
    tokens = taken(model._pos_embed(model.patch_embed(pixels)), visible, model.num_prefix_tokens)
    tokens = model.norm_pre(tokens)
    for block in model.blocks:
        tokens = block(tokens)
    found: Tensor = model.norm(tokens)
    return found


def taken(tokens: Tensor, places: Tensor, before: int = 0) -> Tensor:
    """The tokens at ``places`` [B, K] behind the first ``before``, which are kept: [B, T, D]."""
    behind = tokens[:, before:]
    chosen = behind.gather(1, places.unsqueeze(2).expand(-1, -1, tokens.shape[2]))
    return torch.cat([tokens[:, :before], chosen], dim=1) if before else chosen
