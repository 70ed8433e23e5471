"""Losses of label maps, each a sum and a weight a row, without the pixels that are ignored."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from multigraft import RowLoss
from multigraft.runtime.answers.label_maps.classes import IGNORE

SMOOTH = 1.0
"""Pixels that are added to both sides of Dice's ratio, so that a class without any costs
nothing."""


def by_pixel(
    logits: Tensor, wanted: Tensor, weights: Tensor | None, gamma: float | None
) -> RowLoss:
    """Cross-entropy of logits [B, C, H, W] and classes [B, H, W], weighted by class; with ``gamma``
    the focal loss (Lin et al. 2017, equation 4)."""
    each = F.cross_entropy(logits, wanted, reduction="none", ignore_index=IGNORE)
    real = (wanted != IGNORE).float()
    weight = real if weights is None else real * weights[wanted.where(wanted != IGNORE, 0)]
    if gamma is not None:
        each = each * (1 - torch.exp(-each)).pow(gamma)
    return RowLoss((each * weight).flatten(1).sum(1), weight.flatten(1).sum(1).detach())


def dice(logits: Tensor, wanted: Tensor) -> Tensor:
    """1 - the mean Dice score of the classes that a picture has, [B] (Milletari et al. 2016)."""
    real = (wanted != IGNORE).unsqueeze(1)
    shares = logits.softmax(1) * real
    there = F.one_hot(wanted.where(wanted != IGNORE, 0), logits.shape[1]).movedim(-1, 1) * real
    both, answered, expected = (
        each.flatten(2).sum(2).float() for each in (shares * there, shares, there)
    )
    scores = (2 * both + SMOOTH) / (answered + expected + SMOOTH)
    present = (expected > 0).float()
    return 1 - (scores * present).sum(1) / present.sum(1).clamp(min=1)
