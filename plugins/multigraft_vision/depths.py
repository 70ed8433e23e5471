"""From any mode and depth that Pillow decodes to 8-bit RGB on white; what has no agreed range is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import ExifTags, Image

from multigraft import RowError

WHITE_IS_ZERO, SIGNED = 0, 2
"""Of TIFF's PhotometricInterpretation and SampleFormat."""
GREY_STEPS = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies a PNG's few grey levels by, but not their transparent one."""


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode to RGB; Pillow alone would clip 16-bit values, drop transparency and miss TIFF's tags.

    Grey of 9 to 16 bits is scaled by its depth and rounded; of 16-bit colours Pillow keeps the upper 8 bits.
    Raises RowError for floats and for integers of 32 bits or with a sign, whose black and white nobody
    knows.
    """
    _check_range(picture)
    if picture.mode.startswith("I;16"):
        return Image.fromarray(_from_16_bit(picture)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = _with_its_depth(picture).convert("LA" if picture.mode == "La" else "RGBA").convert("RGBA")
    ground = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(ground, layer).convert("RGB")


def _check_range(picture: Image.Image) -> None:
    if picture.mode == "F":
        raise RowError("holds floats, which have no agreed range; save it with 8 or 16 bits")
    if picture.mode == "I" or SIGNED in _tag(picture, ExifTags.Base.SampleFormat):
        raise RowError(
            "holds integers of 32 bits or with a sign, which have no agreed range; save it with 8 or 16 bits"
        )


def _from_16_bit(picture: Image.Image) -> np.ndarray:
    """[H, W] uint8: scaled by the depth that the file tells, the transparent value white."""
    values = np.asarray(picture)
    bits = _tag(picture, ExifTags.Base.BitsPerSample)
    full = 2 ** bits[0] - 1 if bits and 8 < bits[0] < 16 else 65535
    if WHITE_IS_ZERO in _tag(picture, ExifTags.Base.PhotometricInterpretation):
        values = full - values.clip(max=full)
    scaled = np.round(values / (full / 255)).clip(max=255).astype(np.uint8)
    if picture.info.get("transparency") is not None:
        scaled[values == picture.info["transparency"]] = 255
    return scaled


def _tag(picture: Image.Image, number: int) -> tuple[Any, ...]:
    """The values of a TIFF's tag; none where the picture is no TIFF, or tells nothing."""
    found = getattr(picture, "tag_v2", {}).get(number, ())
    return found if isinstance(found, tuple) else (found,)


def _with_its_depth(picture: Image.Image) -> Image.Image:
    """The picture with its transparent colour on the scale of its pixels: a PNG names it at its own depth."""
    clear, raw = picture.info.get("transparency"), _raw_mode(picture)
    if raw in GREY_STEPS and isinstance(clear, int):
        clear *= GREY_STEPS[raw]
    elif raw == "RGB;16B" and isinstance(clear, tuple):
        clear = tuple(value >> 8 for value in clear)
    else:
        return picture
    made = picture.copy()
    made.info["transparency"] = clear
    return made


def _raw_mode(picture: Image.Image) -> str:
    """How the pixels stand in the file; nothing where they were decoded before."""
    args = picture.tile[0].args if getattr(picture, "tile", None) else ""
    found = args[0] if isinstance(args, tuple) and args else args
    return found if isinstance(found, str) else ""
