"""Image reader for tasks whose targets or answers are places: where the pixels of a row lie in the
picture, and all of a picture in tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.contracts.frames import EXTENT, FRAME, PICTURE, mirror, scaling, shift, then
from multigraft.contracts.types import Arrays, Spec
from multigraft_vision.channels.planes import Picture
from multigraft_vision.images import Box, ImageReader, middle

REST = "rest"
EACH = 20
"""Bytes for each pixel of the resized picture: itself, its making, and tiles that share a
quarter."""


@dataclass(frozen=True)
class PlacedImageReader:
    """``image`` with its ``frame`` and ``extent``, ``picture``, the picture's own width and height,
    and ``rest``, how many pixels of the resized picture the crop left out."""

    images: ImageReader

    @property
    def fills(self) -> Mapping[str, float]:
        """Nothing is padded."""
        return self.images.fills

    def read(self, raw: Any) -> Arrays:
        """As `ImageReader.read`, with where the pixels lie."""
        resized, size = self.images.opened(raw)
        return self._placed(resized, size, self.images.window(*resized.size))

    def windows(self, raw: Any) -> list[Arrays]:
        """All of a picture in tiles that share a quarter; first the one that `read` gives."""
        resized, size = self.images.opened(raw)
        boxes = [self.images.window(*resized.size)]
        if _rest(resized, boxes[0]):
            boxes += tiles(resized.size, self.images.size)
        return [self._placed(resized, size, box) for box in dict.fromkeys(boxes)]

    def mirrored(self, row: Arrays) -> Arrays:
        """The row with left and right exchanged, and where its pixels lie then."""
        frame = then(row[FRAME], mirror(float(row[EXTENT][0])))
        return {**self.images.mirrored(row), FRAME: frame.astype(np.float32)}

    def memory(self, raw: Any) -> int:
        """The most bytes that reading takes at a time, all tiles among them, as the header
        tells."""
        size, bytes_ = self.images.measured(raw)
        pixels = max(math.prod(self.images.resized(*each)) for each in (size, size[::-1]))
        return bytes_ + EACH * pixels * self.images.times

    def length(self, row: Arrays) -> int:
        """Every image costs the same."""
        return self.images.length(row)

    def spec(self) -> Spec:
        """That of the images, with ``places``."""
        return {**self.images.spec(), "places": True}

    def _placed(self, resized: Picture, size: tuple[int, int], box: Box) -> Arrays:
        """A box of the resized picture, and how the upright picture's pixels come to lie in it."""
        across, down = (new / old for new, old in zip(resized.size, size, strict=True))
        frame = then(scaling(across, down), shift(-box[0], -box[1]))
        height, width = self.images.size
        return {
            "image": self.images.cut(resized, box),
            FRAME: frame.astype(np.float32),
            EXTENT: np.array([width, height], dtype=np.float32),
            PICTURE: np.array(size, dtype=np.float32),
            REST: np.array(_rest(resized, box), dtype=np.int64),
        }


def _rest(resized: Picture, box: Box) -> int:
    """The pixels outside of a box."""
    width, height = resized.size
    across = min(box[2], width) - max(box[0], 0)
    down = min(box[3], height) - max(box[1], 0)
    return width * height - across * down


def tiles(size: tuple[int, int], sides: tuple[int, int]) -> list[Box]:
    """Boxes of sides [height, width] that cover a picture of a width and height."""
    return [
        (left, top, left + sides[1], top + sides[0])
        for top in _starts(size[1], sides[0])
        for left in _starts(size[0], sides[1])
    ]


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin that cover a length, and share at least a quarter with the next.

    >>> _starts(100, 40), _starts(30, 40)
    ([0, 30, 60], [-5])
    """
    if length <= side:
        return [middle(length - side)]
    shared = side // 4
    count = -(-(length - shared) // (side - shared))
    return [round(place * (length - side) / (count - 1)) for place in range(count)]
