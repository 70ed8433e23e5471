"""MixUp (Zhang et al. 2018) and CutMix (Yun et al. 2019): pictures of a batch mixed in pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from multigraft.contracts.mixing import Mixture
from multigraft.contracts.reader import Augment
from multigraft.contracts.types import Arrays

SWITCH = 0.5
"""How often a batch is cut and not blended, where both are asked for."""


@dataclass(frozen=True)
class BatchMixing:
    """Mixes after another augmentation, every batch, as timm's ``mode: batch`` does: one share a
    batch, and the rows' partners are the same rows from the last to the first."""

    first: Augment
    mixup: float
    """alpha of the Beta distribution of the blend's share; 0: never."""
    cutmix: float
    """alpha of the share that is not cut out; 0: never."""

    def __call__(self, row: Arrays, rng: Generator) -> Arrays:
        """As the other augmentation."""
        return self.first(row, rng)

    def mix(self, batch: Arrays, rng: Generator) -> Mixture:
        """Mix ``image`` [B, H, W, C]."""
        image = batch["image"]
        partner = np.arange(len(image))[::-1].copy()
        cuts = self.cutmix > 0 and (not self.mixup or rng.random() < SWITCH)
        alpha = self.cutmix if cuts else self.mixup
        made, share = (cut if cuts else blended)(image, image[partner], rng.beta(alpha, alpha), rng)
        return Mixture({"image": made}, partner, np.full(len(image), share, np.float32))


def blended(
    image: np.ndarray, other: np.ndarray, share: float, rng: Generator
) -> tuple[np.ndarray, float]:
    """The mean of two batches, weighted by the share of the first, and that share."""
    del rng
    mean = share * image.astype(np.float32) + (1 - share) * other
    if image.dtype != np.uint8:
        return mean.astype(image.dtype), share
    return np.rint(mean).clip(0, 255).astype(np.uint8), share


def cut(
    image: np.ndarray, other: np.ndarray, share: float, rng: Generator
) -> tuple[np.ndarray, float]:
    """The first batch with a rectangle of the second, the same in every row, and the share that
    the first kept of the pixels."""
    height, width = image.shape[1:3]
    (top, bottom), (left, right) = (
        _interval(side, math.sqrt(1 - share), rng) for side in (height, width)
    )
    made = image.copy()
    made[:, top:bottom, left:right] = other[:, top:bottom, left:right]
    return made, 1 - (bottom - top) * (right - left) / (height * width)


def _interval(side: int, ratio: float, rng: Generator) -> tuple[int, int]:
    """Such a part of a side about a random place, cut off at its ends."""
    length, middle = int(side * ratio), int(rng.integers(side))
    return max(0, middle - length // 2), min(side, middle + (length + 1) // 2)
