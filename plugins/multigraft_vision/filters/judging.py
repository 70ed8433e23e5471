"""Judges of pictures; each is decoded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from multigraft import Dropped
from multigraft.contracts.numbers import told_beside
from multigraft_vision.pictures import open_rgb

MAX_PIXELS = 50_000_000
SIDE = 512
"""Pixels of the longer side at which sharpness is measured, so that it does not follow the size."""
Judge = Callable[[Image.Image], Any]


def opened(raw: Any) -> Image.Image:
    """A picture, as the reader decodes it. Raises RowError."""
    return open_rgb(raw, MAX_PIXELS)


def broken(options: Mapping[str, Any]) -> Judge:
    """Whatever can be opened is kept."""
    del options
    return lambda picture: picture


def tiny(options: Mapping[str, Any]) -> Judge:
    """The shorter side, and the ratio of both."""
    side, ratio = options["side"], options["ratio"]

    def judged(picture: Image.Image) -> Any:
        short, long = sorted(picture.size)
        if short < side:
            told = f"{_pixels(picture)}, a side below {side}"
            return Dropped(f"a side below {side} pixels", told)
        if long <= ratio * short:
            return picture
        told = f"{_pixels(picture)}, longer than {ratio:g} times a side"
        return Dropped(f"longer than {ratio:g} times a side", told)

    return judged


def blank(options: Mapping[str, Any]) -> Judge:
    """How far apart dark and bright are."""
    spread = options["spread"]

    def judged(picture: Image.Image) -> Any:
        low, high = np.percentile(_grey(picture), [1, 99])
        if high - low >= spread:
            return picture
        told = f"brightness from {low:.0f} to {high:.0f} of 255, less than {spread:g} apart"
        return Dropped("nearly of one brightness", told)

    return judged


def blurred(options: Mapping[str, Any]) -> Judge:
    """The variance of the Laplacian (Pech-Pacheco et al. 2000)."""
    least = options["sharpness"]

    def judged(picture: Image.Image) -> Any:
        found = sharpness(_grey(picture))
        if found >= least:
            return picture
        return Dropped("no sharp edge", f"sharpness {told_beside(found, least)}, below {least:g}")

    return judged


def sharpness(grey: np.ndarray) -> float:
    """The variance of a picture's Laplacian: [height, width] of 0 to 255; 0 of fewer than 3 x 3.

    >>> sharpness(np.full((9, 9), 7.0))
    0.0
    """
    if min(grey.shape) < 3:
        return 0.0
    middle = grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    return float((around - 4 * middle).var())


def _pixels(picture: Image.Image) -> str:
    return f"{picture.width:,} x {picture.height:,} pixels"


def _grey(picture: Image.Image) -> np.ndarray:
    """[height, width] of 0 to 255, at most `SIDE` long."""
    small = picture.convert("L")
    if max(small.size) > SIDE:
        small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float64)
