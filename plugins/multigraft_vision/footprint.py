"""Memory footprint: how much a picture takes while it is decoded, as its header tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from multigraft import RowError
from multigraft_vision.pictures import FORMATS

T = TypeVar("T")
RGB, OTHER = 5, 10
"""Bytes a pixel: Pillow keeps one in four, and other modes once more, as RGB. Each is about a tenth
more than was measured of a server."""
TURNED = 4
"""Besides, where it may have to be turned upright."""
DECODER = {"WEBP": 14, "GIF": 4, "TIFF": 4}
"""Besides: a canvas of the decoder's own, or its strips."""
PROGRESSIVE = 8
"""Besides: a JPEG's coefficients, which are all there before the first pixel is."""


def footprint(raw: Any, max_pixels: int) -> int:
    """The most bytes that decoding a picture takes. Raises RowError where no header can be read.

    Of a picture that has more than ``max_pixels`` no pixel is decoded.
    """
    raw = _source(raw)
    if isinstance(raw, np.ndarray):
        return int(raw.size) * OTHER
    held = len(raw) if isinstance(raw, bytes | bytearray | memoryview) else 0
    return held + _told(raw, lambda picture: _pixels(picture, max_pixels))


def size_of(raw: Any) -> tuple[int, int]:
    """Width and height as the header tells, before the picture is turned upright. Raises
    RowError."""
    raw = _source(raw)
    if isinstance(raw, np.ndarray):
        return int(raw.shape[1]), int(raw.shape[0])
    return _told(raw, lambda picture: picture.size)


def _source(raw: Any) -> Any:
    """The path, bytes or picture in a raw value."""
    if not isinstance(raw, Mapping):
        return raw
    return raw.get("bytes") if raw.get("bytes") is not None else raw.get("path")


def _told(raw: Any, tell: Callable[[Image.Image], T]) -> T:
    """What a picture's header tells. Raises RowError where none can be read."""
    if isinstance(raw, Image.Image):
        return tell(raw)
    source = BytesIO(raw) if isinstance(raw, bytes | bytearray | memoryview) else raw
    try:
        with Image.open(source, formats=FORMATS) as picture:
            return tell(picture)
    except Exception as error:
        raise RowError("its header cannot be read") from error


def _pixels(picture: Image.Image, max_pixels: int) -> int:
    pixels = picture.width * picture.height
    return 0 if pixels > max_pixels else pixels * _each(picture)


def _each(picture: Image.Image) -> int:
    """Bytes a pixel."""
    info, kind = picture.info, picture.format or ""
    kept = RGB if picture.mode == "RGB" and "transparency" not in info else OTHER
    turned = TURNED if kind == "TIFF" or info.keys() & {"exif", "xmp"} else 0
    return kept + turned + DECODER.get(kind, 0) + (PROGRESSIVE if info.get("progressive") else 0)
