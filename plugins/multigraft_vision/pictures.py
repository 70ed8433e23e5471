"""Decode whatever holds an image to 8-bit RGB: Pillow and numpy, no torch."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

from multigraft import RowError
from multigraft.contracts.orientation import orientation
from multigraft.contracts.readers import row_bytes
from multigraft.errors import MultigraftError, refused_as
from multigraft_vision.depths import to_rgb
from multigraft_vision.options import MOST_PIXELS

# Only decoders of plain rasters: Pillow's EPS would start ghostscript.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
KINDS = "a path, bytes, a PIL image, a uint8 array or {'bytes': ..., 'path': ...}"
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
PIXEL_BYTES = 8
"""The most that one pixel takes in a file: four channels of 16 bits."""
SPARE = 2**24
"""What a file may hold besides pixels: EXIF, profiles, a preview."""
SMALLER = "make the picture smaller"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""From EXIF's Orientation."""


def open_rgb(raw: Any, max_pixels: int) -> Image.Image:
    """Open a picture: upright by EXIF, on white where transparent, an animation's first frame.

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
        return _from_bytes(file_content(raw, max_pixels), max_pixels)
    raise RowError(f"is {type(raw).__name__}; an image is {KINDS}")


def file_content(path: str | Path, max_pixels: int) -> bytes:
    """Read a row's file, bounded by a picture of so many pixels. Raises RowError."""
    return row_bytes(path, limit=max_pixels * PIXEL_BYTES + SPARE)


def too_large(width: int, height: int, max_pixels: int) -> str:
    """What is said of a picture with more pixels than the limit: the limit stands in the reader, so
    whoever asks a bundle can only make the picture smaller, or have the model trained anew."""
    pixels = width * height
    wider = f", or train with reader.max_pixels: {pixels}" if pixels <= MOST_PIXELS else ""
    found = f"has {width} x {height} pixels, more than the limit of {max_pixels}"
    return f"{found} (reader.max_pixels of the training); {SMALLER}{wider}"


def _from_bytes(content: bytes, max_pixels: int) -> Image.Image:
    if not content:
        raise RowError("the file is empty")
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as picture:
            if not isinstance(picture.info.get("xmp", b""), bytes | str):
                # in which Pillow's TIFF decoder would look for an orientation
                del picture.info["xmp"]
            return _decode(picture, max_pixels)
    except MultigraftError:
        raise
    except Image.DecompressionBombError as error:
        raise RowError(f"has more pixels than the limit of {max_pixels}; {SMALLER}") from error
    except UnidentifiedImageError as error:
        if content.startswith(TIFF):
            raise RowError("is a TIFF of a kind that cannot be decoded; save it as PNG") from error
        raise RowError(f"is not an image; known formats: {', '.join(FORMATS)}") from error
    except Exception as error:  # Pillow's decoders raise whatever broken data makes them
        raise RowError("is a broken image file") from error


def _decode(picture: Image.Image, max_pixels: int) -> Image.Image:
    width, height = picture.size
    if width * height == 0:
        raise RowError("has no pixels")
    if width * height > max_pixels:
        raise RowError(too_large(width, height, max_pixels))
    with refused_as(RowError, "cannot be decoded"):
        return _upright(picture, to_rgb(picture))


def _upright(picture: Image.Image, pixels: Image.Image) -> Image.Image:
    """The decoded pixels, turned as the EXIF of ``picture`` says.

    Of the EXIF the orientation alone is read: Pillow's `exif_transpose` writes all of it anew, and
    fails on tags of odd types that hinder no other decoder.
    """
    turn = TURNS.get(orientation(picture))
    return pixels if turn is None else pixels.transpose(turn)


def _from_array(values: np.ndarray) -> Image.Image:
    if values.dtype != np.uint8:
        raise RowError(
            f"is an array of {values.dtype}; give uint8 values in 0..255, or set reader.channels"
        )
    grey = values[:, :, None] if values.ndim == 2 else values
    if grey.ndim != 3 or grey.shape[2] not in MODES:
        raise RowError(
            f"is an array of shape {values.shape}; give [H, W] or [H, W, 1 to 4 channels], or set "
            "reader.channels"
        )
    if grey.size == 0:
        raise RowError("has no pixels")
    return Image.fromarray(np.ascontiguousarray(grey if grey.shape[2] > 1 else grey[:, :, 0]))
