"""Mosaic: one picture of four, so that objects are seen smaller and in other company
(Bochkovskiy et al. 2020, YOLOv4, section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from PIL import Image

from multigraft.contracts.frames import Piece, scaling, shift, then
from multigraft.contracts.reader import Augment
from multigraft.contracts.types import Arrays
from multigraft_vision.channels.planes import opened, values_of

MIDDLE = 0.3, 0.7
"""Where the four meet, as shares of the sides."""
Window = tuple[int, int, int, int]


@dataclass(frozen=True)
class Mosaic:
    """An augmentation of single pictures, and then of some of them a mosaic."""

    each: Augment
    share: float
    """Of pictures that become part of one."""

    frames: ClassVar[bool] = True

    def __call__(self, row: Arrays, rng: Generator) -> Arrays:
        """Change one picture."""
        return self.each(row, rng)

    def others(self, rng: Generator) -> int:
        """Three, or none."""
        return 3 if rng.random() < self.share else 0

    def join(self, rows: Sequence[Arrays], rng: Generator) -> tuple[Arrays, Sequence[Piece]]:
        """Four pictures [H, W, C] of one size become one of that size, a random part of each in a
        corner, at a random scale."""
        image = rows[0]["image"]
        height, width = image.shape[:2]
        made, pieces = np.empty_like(image), []
        for row, window in zip(rows, _windows(width, height, rng), strict=True):
            left, top, right, bottom = window
            part, frame = _part(row["image"], (right - left, bottom - top), rng)
            made[top:bottom, left:right] = part
            pieces.append(Piece(then(frame, shift(left, top)), window))
        return {**rows[0], "image": made}, pieces


def _windows(width: int, height: int, rng: Generator) -> list[Window]:
    """The four corners around a random middle."""
    x, y = (min(max(round(rng.uniform(*MIDDLE) * side), 1), side - 1) for side in (width, height))
    across, down = ((0, x), (x, width)), ((0, y), (y, height))
    return [(left, top, right, bottom) for top, bottom in down for left, right in across]


def _part(
    image: np.ndarray, size: tuple[int, int], rng: Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A random part of a picture, of the shape of ``size`` (width, height) and as large or larger,
    at that size, and the frame from the picture to it."""
    height, width = image.shape[:2]
    least = max(size[0] / width, size[1] / height)  # at which the part is as large as can be
    scale = rng.uniform(least, 1)
    wide, tall = size[0] / scale, size[1] / scale
    left, top = rng.uniform(0, width - wide), rng.uniform(0, height - tall)
    box = (left, top, min(left + wide, width), min(top + tall, height))
    shown = opened(image).resize(size, Image.Resampling.BILINEAR, box=box)
    return values_of(shown), then(shift(-left, -top), scaling(scale, scale))
