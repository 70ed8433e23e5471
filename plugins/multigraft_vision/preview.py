"""Preview of a picture: a small JPEG for pages."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from PIL import Image

from multigraft import Preview
from multigraft_vision.options import MOST_PIXELS
from multigraft_vision.pictures import open_rgb

SIDE = 256
"""Pixels of the longer side at the most."""
QUALITY = 80


def preview(raw: Any) -> Preview:
    """A thumbnail, upright, never larger than the picture. Raises RowError."""
    picture = open_rgb(raw, MOST_PIXELS)
    told = f"{picture.width:,} x {picture.height:,} pixels"
    picture.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    with BytesIO() as file:
        picture.convert("RGB").save(file, "JPEG", quality=QUALITY)
        return Preview("image/jpeg", file.getvalue(), told)
