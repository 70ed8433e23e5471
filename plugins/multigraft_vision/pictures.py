"""From whatever holds an image to 8-bit RGB: Pillow and numpy, no torch."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from multigraft import RowError
from multigraft.readers import plain_file

# Only decoders of plain rasters: Pillow's EPS would start ghostscript.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
KINDS = "a path, bytes, a PIL image, a uint8 array or {'bytes': ..., 'path': ...}"
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
PIXEL_BYTES = 8
"""The most that one pixel takes in a file: four channels of 16 bits."""
SPARE = 2**24
"""What a file may hold besides pixels: EXIF, profiles, a preview."""
# What Pillow's decoders raise on broken data, besides OSError.
BROKEN = (SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error)


def open_rgb(raw: Any, max_pixels: int) -> Image.Image:
    """The picture in ``raw``: upright by its EXIF, on white where transparent, its first frame if animated.

    Raises RowError where it is none, is broken, or has more than ``max_pixels`` by its header.
    """
    if isinstance(raw, Mapping):
        raw = raw.get("bytes") if raw.get("bytes") is not None else raw.get("path")
    if isinstance(raw, Image.Image):
        return _decode(raw, max_pixels)
    if isinstance(raw, np.ndarray):
        return _decode(_from_array(raw), max_pixels)
    if isinstance(raw, bytes | bytearray | memoryview):
        return _from_bytes(bytes(raw), max_pixels)
    if isinstance(raw, str | Path):
        return _from_bytes(_content(Path(raw), max_pixels), max_pixels)
    raise RowError(f"is {type(raw).__name__}; an image is {KINDS}")


def _content(path: Path, max_pixels: int) -> bytes:
    file = plain_file(path, limit=max_pixels * PIXEL_BYTES + SPARE)
    try:
        return file.read_bytes()
    except OSError as error:
        raise RowError(f"the file cannot be read: {error.strerror}") from error


def _from_bytes(content: bytes, max_pixels: int) -> Image.Image:
    if not content:
        raise RowError("the file is empty")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            return _decode(picture, max_pixels)
    except Image.DecompressionBombError as error:
        raise RowError(f"has more pixels than the limit of {max_pixels}") from error
    except UnidentifiedImageError as error:
        raise RowError(f"is not an image; known formats: {', '.join(FORMATS)}") from error
    except (OSError, *BROKEN) as error:
        raise RowError("is a broken image file") from error


def _decode(picture: Image.Image, max_pixels: int) -> Image.Image:
    width, height = picture.size
    if width * height == 0:
        raise RowError("has no pixels")
    if width * height > max_pixels:
        raise RowError(f"has {width} x {height} pixels, more than the limit of {max_pixels}")
    try:
        return _to_rgb(ImageOps.exif_transpose(picture))
    except (OSError, *BROKEN) as error:
        raise RowError(f"cannot be decoded: {error}") from error


def _to_rgb(picture: Image.Image) -> Image.Image:
    """Any mode to RGB; Pillow alone would clip 16-bit values and drop transparency."""
    if picture.mode.startswith("I"):
        picture = _from_16_bit(picture)
    if picture.mode == "F":
        raise RowError("holds floats, which have no agreed range; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return picture.convert("RGB")


def _from_16_bit(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture)
    if values.min() < 0 or values.max() > 65535:
        raise RowError("holds 32-bit integers; save it with 8 or 16 bits")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))


def _from_array(values: np.ndarray) -> Image.Image:
    if values.dtype != np.uint8:
        raise RowError(f"is an array of {values.dtype}; give uint8 values in 0..255")
    grey = values[:, :, None] if values.ndim == 2 else values
    if grey.ndim != 3 or grey.shape[2] not in MODES:
        raise RowError(f"is an array of shape {values.shape}; give [H, W] or [H, W, 1 to 4 channels]")
    if grey.size == 0:
        raise RowError("has no pixels")
    return Image.fromarray(np.ascontiguousarray(grey if grey.shape[2] > 1 else grey[:, :, 0]))
