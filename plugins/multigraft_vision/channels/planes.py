"""Planes: the channels of a picture, each a Pillow image of its own, moved together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Picture = Any
"""A Pillow image of RGB, or `Planes`, which has the methods of one that are needed here."""


@dataclass(frozen=True)
class Planes:
    """Any number of channels: Pillow has no mode for them, nor for 16 bits each."""

    each: tuple[Image.Image, ...]
    """Of one size, all of mode L (8 bits) or all of F."""

    @classmethod
    def of(cls, values: np.ndarray) -> Planes:
        """From uint8 or float32 [H, W, C]."""
        channels = np.moveaxis(values, 2, 0)
        return cls(tuple(Image.fromarray(np.ascontiguousarray(each)) for each in channels))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.each[0].size

    @property
    def width(self) -> int:
        return self.each[0].width

    @property
    def height(self) -> int:
        return self.each[0].height

    @property
    def values(self) -> np.ndarray:
        """uint8 or float32 [H, W, C]."""
        return np.stack([np.asarray(each) for each in self.each], axis=2)

    def resize(self, size: tuple[int, int], resample: int, box: Any = None) -> Planes:
        return self._all(lambda each: each.resize(size, resample, box=box))

    def crop(self, box: tuple[int, int, int, int]) -> Planes:
        return self._all(lambda each: each.crop(box))

    def transpose(self, method: Image.Transpose) -> Planes:
        return self._all(lambda each: each.transpose(method))

    def getpixel(self, place: tuple[int, int]) -> tuple[float, ...]:
        return tuple(each.getpixel(place) for each in self.each)

    def transform(
        self,
        size: tuple[int, int],
        method: Image.Transform,
        data: Sequence[float],
        resample: int,
        *,
        fillcolor: Sequence[float],
    ) -> Planes:
        pairs = zip(self.each, fillcolor, strict=True)
        return Planes(
            tuple(each.transform(size, method, data, resample, fillcolor=c) for each, c in pairs)
        )

    def changed(self, change: Callable[[np.ndarray], np.ndarray]) -> Planes:
        """With other values, given and returned as float32 [H, W, C]; 8 bits are rounded and
        clipped."""
        found = change(self.values.astype(np.float32))
        if self.each[0].mode == "L":
            found = np.rint(found).clip(0, 255).astype(np.uint8)
        return Planes.of(found.astype(np.uint8 if self.each[0].mode == "L" else np.float32))

    def _all(self, change: Callable[[Image.Image], Image.Image]) -> Planes:
        return Planes(tuple(change(each) for each in self.each))


def opened(image: np.ndarray) -> Picture:
    """A picture of values [H, W, C]."""
    rgb = image.dtype == np.uint8 and image.shape[2] == 3
    return Image.fromarray(image) if rgb else Planes.of(image)


def values_of(picture: Picture) -> np.ndarray:
    """The values of a picture, [H, W, C]."""
    return picture.values if isinstance(picture, Planes) else np.array(picture)
