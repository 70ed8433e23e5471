"""Perceptual hash from shapes and colours in the large: which pictures are nearly the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from multigraft import RowError
from multigraft_vision.pictures import file_content, open_rgb

SIDE = 64
WAVES = 16
"""Across and down. By Zauner's 8, a third of Fashion-MNIST would be near another picture."""
CELLS, HUES = 8, 12
"""Across and down, and around the colour wheel."""
VIVID, FAINT, TINY = 1.5, 2.0, 1e-9
"""Distance of a coloured cell's channels, in multiples of the picture's contrast plus 2."""
DARK = 17
"""Below this value everywhere a picture is nearly black: 12 bits saved in 16, or class numbers."""
MAX_PIXELS = 50_000_000
JPEG = b"\xff\xd8\xff"


def sketch(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The DCT hash of each picture (Zauner 2010, section 3.2.1) with its colours: uint8 [rows,
    256].

    The lowest bit says whether one of the 256 lowest waves across and down is stronger than their
    median. The bits above hold the hue of one of 8 x 8 cells, 0 where it is grey: two pictures of
    the same shapes are as alike as the area in which they have the same colours. A picture of one
    colour gives zeros and the flaw 1, one that is nearly black the flaw 2.
    """
    found, flaws = np.zeros((len(raws), WAVES * WAVES), np.uint8), np.zeros(len(raws), np.uint8)
    waves = _waves()
    for row, raw in enumerate(raws):
        try:
            picture = open_rgb(_drafted(raw), MAX_PIXELS)
        except RowError:
            continue  # the reader says why
        small = picture.resize((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0)
        colours = np.asarray(small)
        if not np.ptp(colours, axis=(0, 1)).any():
            flaws[row] = 1
            continue
        flaws[row] = 2 if max(high for _, high in picture.getextrema()) < DARK else 0
        grey = np.asarray(small.convert("L"), np.float64)
        strengths = (waves @ grey @ waves.T).ravel()
        found[row] = (strengths > np.median(strengths)) + 2 * _hues(colours, float(grey.std()))
    return found, flaws


def _hues(colours: np.ndarray, contrast: float) -> np.ndarray:
    """[WAVES * WAVES] of 0 to `HUES`: a cell's hue, where its colour stands out from the picture's
    contrast.

    Beside the contrast, because brighter light and a steeper curve make both larger.
    """
    side = SIDE // CELLS
    cells = colours.astype(np.float64).reshape(CELLS, side, CELLS, side, 3).mean((1, 3))
    red, green, blue = np.moveaxis(cells, 2, 0)
    high, low = cells.max(2), cells.min(2)
    spread = np.maximum(high - low, TINY)
    sextant = np.select(
        [high == red, high == green],
        [(green - blue) / spread % 6, (blue - red) / spread + 2],
        (red - green) / spread + 4,
    )
    # red and yellow in the middle of one
    hue = 1 + np.floor(sextant * HUES / 6 + 0.5).astype(np.uint8) % HUES
    coloured = np.where(high - low >= VIVID * (contrast + FAINT), hue, 0)
    return np.kron(coloured, np.ones((WAVES // CELLS,) * 2, np.uint8)).ravel().astype(np.uint8)


def _waves() -> np.ndarray:
    """[WAVES, SIDE]: the rows 1 to WAVES of the DCT-II, without the mean in row 0."""
    turns = np.outer(np.arange(1, WAVES + 1), np.arange(SIDE) + 0.5) * (math.pi / SIDE)
    return np.cos(turns)


def _drafted(raw: Any) -> Any:
    """Draft a JPEG, decoded no larger than needed; others as they are. Raises RowError."""
    if isinstance(raw, Mapping):
        raw = raw.get("bytes") if raw.get("bytes") is not None else raw.get("path")
    if not isinstance(raw, bytes | str | Path):
        return raw
    content = raw if isinstance(raw, bytes) else file_content(raw, MAX_PIXELS)
    if not content.startswith(JPEG):
        return content
    try:
        picture = Image.open(BytesIO(content), formats=("JPEG",))
    except Exception:  # the reader's own way says what is wrong with it
        return content
    if picture.width * picture.height <= MAX_PIXELS:
        picture.draft(None, (2 * SIDE, 2 * SIDE))
    return picture
