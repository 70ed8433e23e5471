"""SimMIM (Xie et al. 2022): hidden squares are painted over, and one linear layer on the last map
guesses their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, MultigraftError, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays
from multigraft.models.modes import evaluating
from multigraft_vision.masked.drawing import drawn, enlarged, painted
from multigraft_vision.masked.pixels import channels_of, shares
from multigraft_vision.masked.scores import PLAIN, plain_answer, summarised

TRUE, HIDDEN = "true_image", "hidden_pixels"
"""The picture as it was, [B, H, W, C], and which pixels are hidden, bool [B, H, W]."""
SHARE = 0.6
ON_A_SIDE = 6
"""Squares on a side, at least, where the recipe names no size: of 192 pixels and stride 32 as many
as in the paper."""


class PixelHead(nn.Module):
    """A 1 x 1 convolution that gives each cell of the last map the pixels that it stands for.

    They are added to the painted picture, and none at first: training begins at the plain answer.
    """

    def __init__(self, inside: int, outside: int, stride: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.stride, self.size = stride, size
        self.linear = nn.Conv2d(inside, stride * stride * outside, 1)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """``maps[-1]`` [B, D, h, w] -> ``image`` [B, H, W, C], 0 to 1."""
        pixels = F.pixel_shuffle(self.linear(features.maps[-1]), self.stride).float()
        if pixels.shape[2:] != self.size:  # a side that the stride does not divide
            pixels = F.interpolate(pixels, self.size, mode="bilinear")
        return {"image": shares(batch["image"]) + pixels.permute(0, 2, 3, 1)}


class SimMIM(Objective):
    """Mean absolute error of the hidden pixels, in shares of full scale; a row weighs as many as it
    hides."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief) -> None:
        self.size = _size(brief)
        self.outside = channels_of(brief)
        self.inside, cells = _last_map(brief.backbone, self.size, self.outside)
        self.stride = -(-max(self.size) // max(cells))
        self.share: float = brief.options["mask_share"] or SHARE
        self.square: int = brief.options["square"] or _square(self.stride, min(self.size))

    def head(self) -> nn.Module:
        """One linear layer."""
        return PixelHead(self.inside, self.outside, self.stride, self.size)

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Paint over the hidden squares of ``image`` with the mean colour of the others."""
        image = batch["image"]
        rows, columns = (-(-side // self.square) for side in self.size)
        squares = drawn(len(image), rows * columns, self.share, rng)
        hidden = enlarged(squares.reshape(-1, rows, columns), self.square, self.size)
        return {**batch, "image": painted(image, hidden), TRUE: image, HIDDEN: hidden}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """The mean over the channels, summed over the hidden pixels."""
        return _error(outputs["image"], batch)

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Besides the loss: that of the colour with which the squares were painted over."""
        plain = _error(shares(batch["image"]), batch)
        return {**super().measure(outputs, batch, loss), PLAIN: plain.total}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss and skill."""
        return summarised(kept)

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """The mean colour of what is seen."""
        return plain_answer(kept, "always answering the mean colour of what is not hidden")


def _error(found: Tensor, batch: Batch) -> RowLoss:
    """Of a picture [B, H, W, C], 0 to 1."""
    each = (found - shares(batch[TRUE])).abs().mean(3)
    hidden = batch[HIDDEN].to(each.dtype)
    return RowLoss((each * hidden).sum((1, 2)), hidden.sum((1, 2)))


def _size(brief: Brief) -> tuple[int, int]:
    height, width = brief.reader.spec()["size"]
    return height, width


def _last_map(backbone: Any, size: tuple[int, int], channels: int) -> tuple[int, tuple[int, int]]:
    """Channels and cells of the last map, from an empty picture. Raises MultigraftError where there
    is none."""
    device = next(backbone.parameters()).device
    empty = torch.zeros(1, *size, channels, dtype=torch.uint8, device=device)
    with evaluating(backbone), torch.no_grad():
        maps = backbone({"image": empty}).maps
    if not maps or maps[-1].ndim != 4:
        raise MultigraftError(
            "masked-image-modeling needs a backbone with maps [B, C, H, W] or a plain vision "
            "transformer; this one gives neither: choose another, as resnet-18 or vit-tiny"
        )
    _, inside, rows, columns = maps[-1].shape
    return inside, (rows, columns)


def _square(stride: int, side: int) -> int:
    """The last map's stride, or the largest power of two of which enough lie on a side."""
    finest = max(1, side // ON_A_SIDE)
    return stride if stride <= finest else 1 << (finest.bit_length() - 1)
