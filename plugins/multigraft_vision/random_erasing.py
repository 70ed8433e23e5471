"""Random erasing (Zhong et al. 2017): a rectangle of a picture becomes noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from multigraft.contracts.reader import Augment
from multigraft.contracts.types import Arrays

AREA = 0.02, 1 / 3
ASPECT = math.log(0.3), math.log(1 / 0.3)
TRIES = 10
GREY, SPREAD = 128, 57
"""The noise: about a picture's usual mean and deviation."""


@dataclass(frozen=True)
class RandomErasing:
    """Erases after another augmentation, as timm's ``reprob`` and ``remode: pixel`` do.

    Targets stay where they are: what is hidden is still there.
    """

    first: Augment
    probability: float

    frames: ClassVar[bool] = True

    def __call__(self, row: Arrays, rng: Generator) -> Arrays:
        """Change the row's ``image`` [H, W, C]."""
        row = self.first(row, rng)
        if rng.random() >= self.probability:
            return row
        return {**row, "image": erased(row["image"], rng)}


def erased(image: np.ndarray, rng: Generator) -> np.ndarray:
    """A copy with a rectangle of noise; where none fits in ten tries, as it was."""
    height, width = image.shape[:2]
    for _ in range(TRIES):
        area, aspect = rng.uniform(*AREA) * height * width, math.exp(rng.uniform(*ASPECT))
        tall, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if tall < height and wide < width:
            top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
            changed = image.copy()
            changed[top : top + tall, left : left + wide] = _noise(image, (tall, wide), rng)
            return changed
    return image


def _noise(image: np.ndarray, size: tuple[int, int], rng: Generator) -> np.ndarray:
    """About the usual mean of 8 bits, and of others about the picture's own, by channel."""
    shape = (*size, image.shape[2])
    if image.dtype == np.uint8:
        return np.rint(rng.normal(GREY, SPREAD, shape)).clip(0, 255)
    return rng.normal(image.mean((0, 1)), image.std((0, 1)), shape)
