"""Masked autoencoder (He et al. 2022): a vision transformer computes a quarter of the patches, and
a small decoder guesses the pixels of the others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from timm.layers import build_sincos2d_pos_embed
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from multigraft import Brief, Features, MultigraftError, Objective, Patches, RowLoss
from multigraft.contracts.features import VISIBLE, Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays
from multigraft_vision.masked.drawing import drawn, numbers
from multigraft_vision.masked.pixels import channels_of, shares
from multigraft_vision.masked.scores import PLAIN, plain_answer, summarised
from multigraft_vision.patches import taken

HIDDEN = "hidden"
"""The numbers of the patches to guess: int64 [B, N - K]."""
SHARE = 0.75
WIDEST = 512
HEAD = 32
"""Numbers in one head of the decoder's attention, as in the published decoder."""
EPSILON = 1e-6


class Decoder(nn.Module):
    """Mask tokens among the visible patches, a position for each, blocks, and a linear layer."""

    def __init__(
        self, inside: int, patches: Patches, *, width: int, depth: int, channels: int = 3
    ) -> None:
        super().__init__()
        self.before = patches.before
        self.embed = nn.Linear(inside, width)
        self.mask = nn.Parameter(torch.zeros(1, 1, width))
        self.blocks = nn.ModuleList(
            Block(width, width // HEAD, qkv_bias=True) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        self.pixels = nn.Linear(width, patches.size[0] * patches.size[1] * channels)
        positions = build_sincos2d_pos_embed(list(patches.grid), dim=width)
        self.register_buffer("positions", positions, persistent=False)
        self.apply(_initialise)
        nn.init.normal_(self.mask, std=0.02)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """``sequence`` [B, before + K, D] -> ``pixels`` [B, hidden, height * width * C]."""
        assert features.sequence is not None
        tokens = self.embed(features.sequence)
        tokens = torch.cat([tokens[:, : self.before], self._filled(tokens, batch)], dim=1)
        for block in self.blocks:
            tokens = block(tokens)
        hidden = taken(tokens[:, self.before :], batch[HIDDEN])
        return {"pixels": self.pixels(self.norm(hidden)).float()}

    def _filled(self, tokens: Tensor, batch: Batch) -> Tensor:
        """Every patch in its place, with its position: [B, N, width]."""
        seen = tokens[:, self.before :]
        where = batch[VISIBLE].unsqueeze(2).expand_as(seen)
        positions: Any = self.positions
        empty = self.mask.to(tokens.dtype).repeat(len(tokens), len(positions), 1)
        return empty.scatter(1, where, seen) + positions.to(tokens.dtype)


class MaskedAutoencoder(Objective):
    """Mean squared error of the hidden patches' pixels; a row weighs as many as it hides."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief) -> None:
        backbone: Any = brief.backbone
        self.patches: Patches = backbone.patches
        self.channels = channels_of(brief)
        self.inside: int = backbone.width
        self.share: float = brief.options["mask_share"] or SHARE
        self.normalize: bool = brief.options["normalize"]
        self.width = _width(brief.options["decoder_width"], self.inside)
        self.depth: int = brief.options["decoder_depth"]

    def head(self) -> nn.Module:
        """The decoder."""
        sides = {"width": self.width, "depth": self.depth}
        return Decoder(self.inside, self.patches, channels=self.channels, **sides)

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Draw ``visible`` [B, K] and ``hidden`` [B, N - K], as many in every row."""
        count = self.patches.grid[0] * self.patches.grid[1]
        hidden = drawn(len(batch["image"]), count, self.share, rng)
        return {**batch, VISIBLE: numbers(~hidden), HIDDEN: numbers(hidden)}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The mean over a patch's numbers, summed over the hidden patches."""
        return _error(outputs["pixels"], self._targets(batch))

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Besides the loss: that of the plain answer."""
        targets = self._targets(batch)
        plain = torch.zeros_like(targets) if self.normalize else self._seen_colour(batch)
        return {**super().measure(outputs, batch, loss), PLAIN: _error(plain, targets).total}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss and skill."""
        return summarised(kept)

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """The mean of each patch, or without normalising the mean colour of what is seen."""
        whose = "each hidden patch" if self.normalize else "the visible patches"
        return plain_answer(kept, f"always answering the mean colour of {whose}")

    def _targets(self, batch: Batch) -> Tensor:
        """What the hidden patches hold: [B, hidden, height * width * C]."""
        pixels = taken(patchified(batch["image"], self.patches), batch[HIDDEN])
        return normalized(pixels) if self.normalize else pixels

    def _seen_colour(self, batch: Batch) -> Tensor:
        """The mean colour of the visible patches, as a patch: [B, 1, height * width * C]."""
        seen = taken(patchified(batch["image"], self.patches), batch[VISIBLE])
        colour = seen.unflatten(2, (-1, self.channels)).mean((1, 2))
        return colour.repeat(1, seen.shape[2] // self.channels).unsqueeze(1)


def patchified(image: Tensor, patches: Patches) -> Tensor:
    """The pixels of each patch, 0 to 1: [B, H, W, C] -> float [B, N, height * width * C]."""
    (rows, columns), (height, width) = patches.grid, patches.size
    split = image.reshape(len(image), rows, height, columns, width, image.shape[3])
    return shares(split.transpose(2, 3).reshape(len(image), rows * columns, -1))


def normalized(pixels: Tensor) -> Tensor:
    """Each patch with mean 0 and variance 1 (He et al. 2022, section 3, "normalized pixels")."""
    mean, variance = pixels.mean(2, keepdim=True), pixels.var(2, keepdim=True)
    return (pixels - mean) / (variance + EPSILON).sqrt()


def _error(found: Tensor, targets: Tensor) -> RowLoss:
    each = (found - targets).square().mean(2)
    return RowLoss(each.sum(1), torch.full_like(each[:, 0], each.shape[1]).detach())


def _width(asked: int | None, inside: int) -> int:
    """The decoder's width. Raises MultigraftError where no heads of attention fit it."""
    if asked is None:
        return min(-(-inside // HEAD) * HEAD, WIDEST)
    if asked % HEAD:
        raise MultigraftError(f"task.decoder_width: found {asked}; allowed: multiples of {HEAD}")
    return asked


def _initialise(module: nn.Module) -> None:
    """Xavier's, as the published decoder."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
