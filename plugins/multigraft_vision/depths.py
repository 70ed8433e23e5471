"""Bit depths and modes: all that Pillow decodes to 8-bit RGB on white; no agreed range: refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from multigraft import RowError

WHITE_IS_ZERO, SIGNED, SEPARATE = 0, 2, 2
"""Of TIFF's PhotometricInterpretation, SampleFormat and PlanarConfiguration."""
STRIP = 2**20
"""The pixels that are converted at a time."""
GREY_STEPS = {"L;2": 85, "L;4": 17}
"""What Pillow multiplies a PNG's few grey levels by, but not their transparent one."""


def to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode to RGB; Pillow alone would clip 16-bit values, drop transparency and miss TIFF's
    tags.

    Grey of 9 to 16 bits is scaled by its depth and rounded; of 16-bit colours Pillow keeps the
    upper 8 bits. What is RGB already is given back as it is; anything else is converted a strip at
    a time, so that beside the decoded picture no more than the result is in memory. Raises RowError
    for floats and for integers of 32 bits or with a sign, whose black and white nobody knows, and
    for channels that are no colours.
    """
    _check_range(picture)
    convert = _conversion(picture)
    picture.load()
    if convert is None:
        return picture
    width, height = picture.size
    made, rows = Image.new("RGB", picture.size), max(1, STRIP // width)
    for top in range(0, height, rows):
        made.paste(convert(picture.crop((0, top, width, min(top + rows, height)))), (0, top))
    return made


def _conversion(picture: Image.Image) -> Callable[[Image.Image], Image.Image] | None:
    """Conversion to RGB; None where all is RGB. To be asked before the picture is loaded."""
    if picture.mode.startswith("I;16"):
        return partial(_from_16_bit, deep=_deep(picture))
    if picture.has_transparency_data:
        return partial(_on_white, clear=_clear(picture))
    return None if picture.mode == "RGB" else lambda part: part.convert("RGB")


def _on_white(part: Image.Image, clear: Any) -> Image.Image:
    if clear is not None:
        part.info["transparency"] = clear
    layer = part.convert("LA" if part.mode == "La" else "RGBA").convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _check_range(picture: Image.Image) -> None:
    samples = next(iter(_tag(picture, ExifTags.Base.SamplesPerPixel)), 1)
    if samples > (3 if picture.mode == "RGBX" else len(picture.getbands())):
        raise RowError(
            f"has {samples} channels, which are neither grey nor colours with opacity; set "
            f"reader.channels to {samples}"
        )
    deep = 16 in _tag(picture, ExifTags.Base.BitsPerSample)
    if deep and samples > 1 and SEPARATE in _tag(picture, ExifTags.Base.PlanarConfiguration):
        # of which Pillow mixes up the bytes
        raise RowError(f"holds 16 bits with each channel apart; set reader.channels to {samples}")
    if picture.mode == "F":
        raise RowError("holds floats, which have no agreed range; save it with 8 or 16 bits")
    if picture.mode == "I" or SIGNED in _tag(picture, ExifTags.Base.SampleFormat):
        raise RowError(
            "holds integers of 32 bits or with a sign, which have no agreed range; save it with 8 "
            "or 16 bits"
        )


@dataclass(frozen=True)
class _Deep:
    """What the values of 9 to 16 bits mean."""

    full: int
    inverted: bool
    """Whether ``full`` is black and 0 white."""
    clear: int | None
    """The transparent value."""


def _deep(picture: Image.Image) -> _Deep:
    bits = _tag(picture, ExifTags.Base.BitsPerSample)
    return _Deep(
        full=2 ** bits[0] - 1 if bits and 8 < bits[0] < 16 else 65535,
        inverted=WHITE_IS_ZERO in _tag(picture, ExifTags.Base.PhotometricInterpretation),
        clear=picture.info.get("transparency"),
    )


def _from_16_bit(part: Image.Image, deep: _Deep) -> Image.Image:
    values = np.asarray(part)
    bright = deep.full - values.clip(max=deep.full) if deep.inverted else values
    scaled = np.round(bright / (deep.full / 255)).clip(max=255).astype(np.uint8)
    if deep.clear is not None:
        scaled[values == deep.clear] = 255
    return Image.fromarray(scaled).convert("RGB")


def _tag(picture: Image.Image, number: int) -> tuple[Any, ...]:
    """The values of a TIFF's tag; none where the picture is no TIFF, or tells nothing."""
    found = getattr(picture, "tag_v2", {}).get(number, ())
    return found if isinstance(found, tuple) else (found,)


def _clear(picture: Image.Image) -> Any:
    """The transparent colour on the scale of the pixels: a PNG names it at its own depth."""
    clear, raw = picture.info.get("transparency"), _raw_mode(picture)
    if raw in GREY_STEPS and isinstance(clear, int):
        return clear * GREY_STEPS[raw]
    if raw == "RGB;16B" and isinstance(clear, tuple):
        return tuple(value >> 8 for value in clear)
    return clear


def _raw_mode(picture: Image.Image) -> str:
    """How the pixels stand in the file; nothing where they were decoded before."""
    args = picture.tile[0].args if getattr(picture, "tile", None) else ""
    found = args[0] if isinstance(args, tuple) and args else args
    return found if isinstance(found, str) else ""
