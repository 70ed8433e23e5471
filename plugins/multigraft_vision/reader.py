"""The image reader: any picture to uint8 RGB of one size, as timm's evaluation transform does
it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from multigraft import RowError
from multigraft.contracts.frames import EXTENT, FRAME, PICTURE, scaling, shift, then
from multigraft.contracts.readers import check_spec
from multigraft.contracts.types import Arrays, Spec
from multigraft_vision.footprint import footprint
from multigraft_vision.pictures import open_rgb

INTERPOLATIONS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


Side = Annotated[int, Field(ge=1, le=8192)]
Shade = Annotated[int, Field(ge=0, le=255)]


class ImageSpec(BaseModel):
    """A saved spec."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    kind: Literal["image"] = "image"
    size: tuple[Side, Side] = Field(strict=False)  # JSON knows lists only
    crop: float = Field(ge=0.05, le=1)
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"]
    fit: Literal["center", "squash", "pad"]
    max_pixels: int = Field(ge=1, le=Image.MAX_IMAGE_PIXELS * 2)
    fill: tuple[Shade, Shade, Shade] = Field((0, 0, 0), strict=False)
    places: bool = False


def image_reader(spec: Spec) -> ImageReader:
    """Build a reader from its spec."""
    return ImageReader(**check_spec(spec, ImageSpec).model_dump(exclude={"kind"}))


@dataclass(frozen=True, kw_only=True)
class ImageReader:
    """``image``: uint8 [H, W, 3]; where places are asked for, also the picture's ``frame``,
    ``extent`` and its own size, ``picture``."""

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
    """The colour of the bars."""
    places: bool = False
    """Whether rows say where in the picture they lie (see `multigraft.contracts.frames`)."""

    @property
    def fills(self) -> Mapping[str, float]:
        """Nothing is padded."""
        return {}

    def read(self, raw: Any) -> Arrays:
        """Decode, resize and crop one picture (see `pictures.open_rgb`). Raises RowError."""
        picture = open_rgb(raw, self.max_pixels)
        resized = picture.resize(self._resized(*picture.size), INTERPOLATIONS[self.interpolation])
        window = self._window(*resized.size)
        row = {"image": np.array(self._cut(resized, window))}
        return {**row, **self._places(picture, resized, window)} if self.places else row

    def memory(self, raw: Any) -> int:
        """The most bytes that `read` takes at a time, as the header tells: decoded, and resized."""
        tall, wide = (math.floor(side / self.crop) for side in self.size)
        return footprint(raw, self.max_pixels) + 12 * tall * wide

    def length(self, row: Arrays) -> int:
        """Every image costs the same."""
        del row
        return 1

    def spec(self) -> Spec:
        """All fields."""
        return {
            "kind": "image",
            "size": list(self.size),
            "crop": self.crop,
            "interpolation": self.interpolation,
            "fit": self.fit,
            "max_pixels": self.max_pixels,
            **({"fill": list(self.fill)} if self.fit == "pad" else {}),
            **({"places": True} if self.places else {}),
        }

    def _places(
        self, picture: Image.Image, resized: Image.Image, window: tuple[int, int, int, int]
    ) -> Arrays:
        """From the upright picture's pixels to the input's."""
        across, down = (new / old for new, old in zip(resized.size, picture.size, strict=True))
        frame = then(scaling(across, down), shift(-window[0], -window[1]))
        height, width = self.size
        return {
            FRAME: frame.astype(np.float32),
            EXTENT: np.array([width, height], dtype=np.float32),
            PICTURE: np.array(picture.size, dtype=np.float32),
        }

    def _resized(self, width: int, height: int) -> tuple[int, int]:
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

    def _window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """The box of the centre crop: left, top, right, bottom; of a smaller picture it reaches
        beyond."""
        tall, wide = self.size
        top, left = _middle(height - tall), _middle(width - wide)
        return left, top, left + wide, top + tall

    def _cut(self, resized: Image.Image, window: tuple[int, int, int, int]) -> Image.Image:
        """A box of the picture, and bars where it reaches beyond."""
        if self.fit != "pad":
            return resized.crop(window)
        left, top, right, bottom = window
        whole = Image.new("RGB", (right - left, bottom - top), self.fill)
        whole.paste(resized, (-left, -top))
        return whole


def _middle(spare: int) -> int:
    """Where a crop begins, as torchvision rounds it; where bars are added, the first is the smaller
    one, as timm's."""
    return round(spare / 2) if spare >= 0 else -(-spare // 2)
