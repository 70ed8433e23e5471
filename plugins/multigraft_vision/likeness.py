"""Which pictures are nearly the same: a perceptual hash, from the shapes in the large."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from multigraft import RowError
from multigraft_vision.pictures import open_rgb

SIDE = 64
WAVES = 16
"""Across and down. With Zauner's 8, a third of Fashion-MNIST would be near another of its pictures."""
MAX_PIXELS = 50_000_000
JPEG = b"\xff\xd8\xff"


def sketch(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The DCT hash of each picture (Zauner 2010, section 3.2.1): uint8 [rows, 256] of 0 and 1.

    A bit says whether one of the 256 lowest waves across and down is stronger than their median. A picture of
    one colour gives zeros and the flaw 1.
    """
    found, flaws = np.zeros((len(raws), WAVES * WAVES), np.uint8), np.zeros(len(raws), np.uint8)
    waves = _waves()
    for row, raw in enumerate(raws):
        pixels = _thumbnail(raw)
        if pixels is None:
            continue
        if np.ptp(pixels) == 0:
            flaws[row] = 1
            continue
        strengths = (waves @ pixels @ waves.T).ravel()
        found[row] = strengths > np.median(strengths)
    return found, flaws


def _waves() -> np.ndarray:
    """[WAVES, SIDE]: the rows 1 to WAVES of the DCT-II, without the mean in row 0."""
    turns = np.outer(np.arange(1, WAVES + 1), np.arange(SIDE) + 0.5) * (math.pi / SIDE)
    return np.cos(turns)


def _thumbnail(raw: Any) -> np.ndarray | None:
    """[SIDE, SIDE] grey; None for what the reader refuses too."""
    try:
        picture = open_rgb(_drafted(raw), MAX_PIXELS)
    except RowError:
        return None
    small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
    return np.asarray(small, np.float64)


def _drafted(raw: Any) -> Any:
    """A JPEG file that is decoded no larger than needed; anything else as it is."""
    if isinstance(raw, Mapping):
        raw = raw.get("bytes") if raw.get("bytes") is not None else raw.get("path")
    if not isinstance(raw, bytes | str | Path):
        return raw
    try:
        content = raw if isinstance(raw, bytes) else Path(raw).read_bytes()
        if not content.startswith(JPEG):
            return content
        picture = Image.open(BytesIO(content), formats=("JPEG",))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return raw  # the reader's own way says what is wrong with it
    if picture.width * picture.height <= MAX_PIXELS:
        picture.draft(None, (2 * SIDE, 2 * SIDE))
    return picture
