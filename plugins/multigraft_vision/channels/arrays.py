"""Decode a picture to the values of its channels as they stand in it: nothing is mixed, dropped or
brought to 8 bits."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Literal

import numpy as np
from PIL import Image

from multigraft import RowError
from multigraft.contracts.orientation import upright
from multigraft.errors import refused_as
from multigraft_vision.channels import npy, tiff
from multigraft_vision.channels.header import DEEP, GREY_AND_OPACITY, Header, opened
from multigraft_vision.pictures import too_large

Depth = Literal[8, 16, "float"]
DEPTHS: dict[str, Depth] = {"uint8": 8, "uint16": 16}


def open_channels(raw: Any, *, channels: int, max_pixels: int) -> np.ndarray:
    """uint8, uint16 or float32 [H, W, C], upright by EXIF; an animation's first frame.

    Raises RowError where it is no picture, is broken, has another number of channels, values that
    are not finite, or more than ``max_pixels``.
    """
    header = opened(raw, channels=channels, max_pixels=max_pixels)
    check(header, channels=channels, max_pixels=max_pixels)
    with refused_as(RowError, "is a broken image file"):
        values = _decoded(header)
    if values.shape[2] != channels:
        raise RowError(_wrong_channels(values.shape[2], channels))
    return upright(_plain(values), header.orientation)


def check(header: Header, *, channels: int, max_pixels: int) -> None:
    """Raise RowError for a picture of other channels, or of none or too many pixels."""
    width, height = header.width, header.height
    if width < 1 or height < 1:
        raise RowError("has no pixels")
    if width * height > max_pixels:
        raise RowError(too_large(width, height, max_pixels))
    if header.channels != channels:
        raise RowError(_wrong_channels(header.channels, channels))


def depth_of(values: np.ndarray) -> Depth:
    """8 or 16 bits, or floats, to which numbers with a sign belong."""
    return DEPTHS.get(values.dtype.name, "float")


def said(depth: Depth) -> str:
    """A depth in words."""
    return "floats" if depth == "float" else f"{depth} bits"


def _wrong_channels(found: int, wanted: int) -> str:
    return f"has {found} channel{'s' * (found != 1)}, and reader.channels is {wanted}"


def _decoded(header: Header) -> np.ndarray:
    """[H, W, C] in whatever type it has."""
    source = header.source
    if isinstance(source, Image.Image):
        return _deep(header) if header.deep else _of_picture(source)
    if source is None or isinstance(source, np.ndarray):
        values = npy.array_of(header.content) if source is None else source
        return values[:, :, None] if values.ndim == 2 else values
    return tiff.samples(source)


def _of_picture(picture: Image.Image) -> np.ndarray:
    if picture.mode == "P":
        picture = picture.convert("RGB")
    values = np.asarray(picture)
    if picture.mode == "1":
        values = values.astype(np.uint8) * 255
    if values.dtype.kind == "u" and values.dtype.itemsize > 1:
        values = values.astype(np.uint16)  # in the machine's order of bytes
    return values[:, :, None] if values.ndim == 2 else values


def _deep(header: Header) -> np.ndarray:
    """A PNG of 16 bits a sample, whose bytes Pillow unpacks by halves: it has no mode for them."""
    if not header.content:
        raise RowError("is a Pillow image, which keeps 8 of its 16 bits; give its path or bytes")
    low = _unpacked(header.content, DEEP[header.deep])
    if header.deep == GREY_AND_OPACITY:
        return low[..., ::2] * 256 + low[..., 1::2]
    return _unpacked(header.content, header.deep) * 256 + low


def _unpacked(content: bytes, args: str) -> np.ndarray:
    with Image.open(BytesIO(content), formats=("PNG",)) as picture:
        picture.tile = [picture.tile[0]._replace(args=args)]
        return np.asarray(picture).astype(np.uint16)


def _plain(values: np.ndarray) -> np.ndarray:
    """uint8, uint16 or float32. Raises RowError for numbers that are none of these."""
    kind = values.dtype
    if kind.kind == "u" and kind.itemsize <= 2:
        return np.ascontiguousarray(values, kind.newbyteorder("="))
    if kind.kind != "f" and not (kind.kind == "i" and kind.itemsize <= 2):
        raise RowError(f"holds {kind.name}; give 8 or 16 bits, or floats")
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(values, np.float32)
    if not np.isfinite(found).all():
        raise RowError("holds values that are no finite numbers (NaN where nothing was measured?)")
    return found
