"""What the header of a picture of any number of channels tells, before a sample is decoded."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from multigraft import RowError
from multigraft.contracts.orientation import orientation
from multigraft.contracts.readers import row_bytes
from multigraft_vision.channels import npy, tiff
from multigraft_vision.pictures import FORMATS, KINDS, SMALLER, SPARE

SAMPLE_BYTES = 8
"""The most that one sample takes in a file: a float of 64 bits."""
GREY_AND_OPACITY = "LA;16B"
DEEP = {"RGB;16B": "RGB;16L", "RGBA;16B": "RGBA;16L", GREY_AND_OPACITY: "RGBA"}
"""How Pillow would unpack a PNG of 16 bits a sample, which keeps the high bytes, and how it unpacks
the low ones; of grey with opacity it gives both as four channels."""


@dataclass(frozen=True)
class Header:
    """A picture that is open, and what it is."""

    width: int
    """Before it is turned upright."""
    height: int
    channels: int
    itemsize: int
    """Bytes of one sample."""
    orientation: int
    source: Any
    """A Pillow image, a `tifffile.TiffPage`, or an array; None for one in a file."""
    content: bytes = b""
    """Of a file."""
    deep: str = ""
    """Of a PNG with more than one channel of 16 bits: how Pillow would unpack it."""


def opened(raw: Any, *, channels: int, max_pixels: int) -> Header:
    """The header of a path, bytes, a Pillow image or an array [H, W] or [H, W, C]. Raises
    RowError."""
    if isinstance(raw, Mapping):
        raw = raw.get("bytes") if raw.get("bytes") is not None else raw.get("path")
    if isinstance(raw, str | Path):
        raw = row_bytes(raw, limit=max_pixels * channels * SAMPLE_BYTES + SPARE)
    if isinstance(raw, np.ndarray):
        return _of_array(raw.shape, raw.dtype, raw)
    if isinstance(raw, Image.Image):
        return _of_picture(raw)
    if isinstance(raw, bytes | bytearray | memoryview):
        return _of_bytes(bytes(raw))
    raise RowError(f"is {type(raw).__name__}; an image is {KINDS}")


def _of_bytes(content: bytes) -> Header:
    if not content:
        raise RowError("the file is empty")
    if content.startswith(npy.MAGIC):
        shape, kind, _, _ = npy.shape_of(content)
        return _of_array(shape, kind, None, content)
    if content.startswith(tiff.MAGIC):
        page = tiff.opened(content)
        if page is not None:
            sides = (page.imagewidth, page.imagelength, page.samplesperpixel, page.dtype.itemsize)
            return Header(*sides, tiff.orientation(page), page, content)
    try:
        return _of_picture(Image.open(io.BytesIO(content), formats=FORMATS), content)
    except RowError:
        raise
    except Image.DecompressionBombError as error:
        raise RowError(f"has more pixels than any limit; {SMALLER}") from error
    except Exception as error:  # Pillow's decoders raise whatever broken data makes them
        raise RowError(
            f"is not an image, or of a kind that cannot be decoded; known formats: "
            f"{', '.join(FORMATS)}, .npy"
        ) from error


def _of_array(shape: tuple[int, ...], kind: Any, source: Any, content: bytes = b"") -> Header:
    if len(shape) not in (2, 3):
        raise RowError(f"is an array of shape {shape}; give [H, W] or [H, W, channels]")
    height, width, channels = (*shape, 1)[:3]
    return Header(width, height, channels, kind.itemsize, 1, source, content)


def _of_picture(picture: Image.Image, content: bytes = b"") -> Header:
    tile = (
        picture.tile[0].args if getattr(picture, "tile", None) else None
    )  # gone once it is loaded
    deep = tile if picture.format == "PNG" and tile in DEEP else ""
    bands = 3 if picture.mode == "P" else len(picture.getbands())
    channels = 2 if deep == GREY_AND_OPACITY else bands
    (width, height), turn = picture.size, orientation(picture)
    return Header(width, height, channels, 2, turn, picture, content, deep)
