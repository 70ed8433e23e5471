"""From a saved spec to the reader of images that it asks for."""

from __future__ import annotations

from typing import Annotated, Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from multigraft.contracts.readers import check_spec, kind_of
from multigraft.contracts.types import Spec
from multigraft_vision.channels.settings import KIND, MOST_CHANNELS, Channels
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


Share = Annotated[float, Field(allow_inf_nan=False)]


class ChannelSpec(ImageSpec):
    """A saved spec of a reader of channels."""

    kind: Literal["image-channels"] = "image-channels"  # type: ignore[assignment]
    channels: int = Field(ge=1, le=MOST_CHANNELS)
    depth: Literal[8, 16, "float"]
    range: tuple[float, float] = Field(strict=False)
    mean: tuple[Share, ...] = Field(strict=False)
    std: tuple[Annotated[float, Field(gt=0)], ...] = Field(strict=False)

    @model_validator(mode="after")
    def _fits(self) -> ChannelSpec:
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std must have {self.channels} numbers, one a channel")
        if not self.range[0] < self.range[1]:
            raise ValueError("range must ascend")
        return self


def image_reader(spec: Spec) -> ImageReader | PlacedImageReader:
    """Build a reader from its spec."""
    model = ChannelSpec if kind_of(spec) == KIND else ImageSpec
    settings = check_spec(spec, model).model_dump(exclude={"kind"})
    places = settings.pop("places")
    if model is ChannelSpec:
        names = ("depth", "range", "mean", "std")
        told = {name: settings.pop(name) for name in names}
        settings["channels"] = Channels(settings["channels"], **told)
    images = ImageReader(**settings)
    return PlacedImageReader(images) if places else images
