"""Sample masks for made-up pictures, with which the task is tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image


def mask_samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """What is bright in each picture, as a PNG beside it; a few pixels are ignored."""
    return {"mask": [_bright(rng, raw) for raw in raws]}


def _bright(rng: np.random.Generator, raw: str) -> str:
    with Image.open(raw) as picture:
        grey = np.asarray(picture.convert("L"))
    mask = (grey > np.median(grey)).astype(np.uint8)
    mask[rng.integers(len(mask)), :2] = 255
    path = f"{raw}.mask.png"
    Image.fromarray(mask).save(path)
    return path
