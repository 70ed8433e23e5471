"""Images: any picture to RGB of 8 bits, or to channels of any number and depth, of one size, as
timm's evaluation transform does it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from multigraft import RowError
from multigraft.contracts.types import Arrays, Spec
from multigraft.contracts.units import Units
from multigraft_vision.channels.planes import Picture, values_of
from multigraft_vision.channels.settings import KIND, Channels
from multigraft_vision.footprint import footprint, size_of
from multigraft_vision.pictures import open_rgb
from multigraft_vision.pieces import patch_units

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
Box = tuple[int, int, int, int]
"""Left, top, right, bottom."""


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """``image``: uint8 [H, W, 3]; of channels uint8 or float32 [H, W, C] (see `Channels`)."""

    size: tuple[int, int]
    """Height and width."""
    crop: float
    """The share of each side that the centre crop keeps."""
    interpolation: str
    fit: str
    """``center`` keeps the aspect ratio and crops the longer side; ``squash`` does not keep it;
    ``pad`` keeps it, and all of the picture, between bars."""
    max_pixels: int
    fill: tuple[int, int, int] = (0, 0, 0)
    """The colour of the bars; of channels their mean."""
    channels: Channels | None = None
    """None: RGB of 8 bits, whatever the picture has."""

    @property
    def fills(self) -> Mapping[str, float]:
        """Nothing is padded."""
        return {}

    def read(self, raw: Any) -> Arrays:
        """Decode, resize and crop one picture (see `pictures.open_rgb`, `arrays.open_channels`).
        Raises RowError."""
        resized, _ = self.opened(raw)
        return {"image": self.cut(resized, self.window(*resized.size))}

    def mirrored(self, row: Arrays) -> Arrays:
        """The row with left and right exchanged."""
        return {**row, "image": row["image"][:, ::-1]}

    def units(self, raw: Any, row: Arrays) -> Units:
        """Patches in a grid (see `patch_units`)."""
        del raw
        return patch_units(row)

    def memory(self, raw: Any) -> int:
        """The most bytes that `read` takes at a time, as the header tells: decoded, and resized."""
        tall, wide = (math.floor(side / self.crop) for side in self.size)
        return self.measured(raw)[1] + 12 * tall * wide * self.times

    def length(self, row: Arrays) -> int:
        """Every image costs the same."""
        del row
        return 1

    def spec(self) -> Spec:
        """All fields."""
        return {
            "kind": "image" if self.channels is None else KIND,
            "size": list(self.size),
            "crop": self.crop,
            "interpolation": self.interpolation,
            "fit": self.fit,
            "max_pixels": self.max_pixels,
            **({"fill": list(self.fill)} if self.fit == "pad" and not self.channels else {}),
            **(self.channels.spec() if self.channels is not None else {}),
        }

    def measured(self, raw: Any) -> tuple[tuple[int, int], int]:
        """A picture's width and height before it is turned upright, and the most bytes that
        decoding it takes, as its header tells. Raises RowError."""
        if self.channels is None:
            return size_of(raw), footprint(raw, self.max_pixels)
        return self.channels.measured(raw, self.max_pixels)

    def opened(self, raw: Any) -> tuple[Picture, tuple[int, int]]:
        """The picture before the crop, and its own width and height."""
        if self.channels is None:
            picture: Picture = open_rgb(raw, self.max_pixels)
        else:
            picture = self.channels.planes(raw, self.max_pixels)
        sides = self.resized(*picture.size)
        return picture.resize(sides, INTERPOLATIONS[self.interpolation]), picture.size

    def resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height before the crop."""
        tall, wide = (math.floor(side / self.crop) for side in self.size)
        if self.fit == "squash":
            return wide, tall
        if self.fit == "pad":  # timm's ResizeKeepRatio by the longer side
            ratio = max(height / tall, width / wide)
            return max(1, round(width / ratio)), max(1, round(height / ratio))
        if tall == wide:  # torchvision's rounding of the longer side
            short, long = min(width, height), max(width, height)
            longer = int(tall * long / short)
            wide, tall = (tall, longer) if width <= height else (longer, tall)
        else:  # timm's ResizeKeepRatio
            ratio = min(height / tall, width / wide)
            tall, wide = round(height / ratio), round(width / ratio)
        if tall * wide > self.max_pixels:
            raise RowError(
                f"is too narrow: {width} x {height} would be enlarged to {wide} x {tall} pixels"
            )
        return wide, tall

    def window(self, width: int, height: int) -> Box:
        """The box of the centre crop: left, top, right, bottom; of a smaller picture it reaches
        beyond."""
        tall, wide = self.size
        top, left = middle(height - tall), middle(width - wide)
        return left, top, left + wide, top + tall

    def cut(self, resized: Picture, window: Box) -> np.ndarray:
        """A box of the picture, [H, W, C], and bars where it reaches beyond."""
        if self.fit != "pad":
            return values_of(resized.crop(window))
        left, top, right, bottom = window
        fill = self.fill if self.channels is None else self.channels.fill()
        inside = values_of(resized)
        whole = np.empty((bottom - top, right - left, inside.shape[2]), inside.dtype)
        whole[:] = fill
        there = max(left, 0), max(top, 0), min(right, resized.width), min(bottom, resized.height)
        part = inside[there[1] : there[3], there[0] : there[2]]
        whole[there[1] - top : there[3] - top, there[0] - left : there[2] - left] = part
        return whole

    @property
    def times(self) -> int:
        """How much a pixel takes beside one of RGB."""
        return 1 if self.channels is None else 2 * self.channels.count


def middle(spare: int) -> int:
    """Where a crop begins, as torchvision rounds it; where bars are added, the first is the smaller
    one, as timm's."""
    return round(spare / 2) if spare >= 0 else -(-spare // 2)
