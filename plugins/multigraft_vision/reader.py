"""From a saved spec to the reader of images that it asks for."""

from __future__ import annotations

from typing import Annotated, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from multigraft.contracts.readers import check_spec
from multigraft.contracts.types import Spec
from multigraft_vision.images import ImageReader
from multigraft_vision.placed_images import PlacedImageReader

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


def image_reader(spec: Spec) -> ImageReader | PlacedImageReader:
    """Build a reader from its spec."""
    settings = check_spec(spec, ImageSpec).model_dump(exclude={"kind"})
    places = settings.pop("places")
    images = ImageReader(**settings)
    return PlacedImageReader(images) if places else images
