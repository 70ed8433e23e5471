"""Example pictures of the filters: one that is kept by all, and one for each that is dropped."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image, ImageFilter

SIZE = 64


def sharp() -> np.ndarray:
    """Stripes with edges: uint8 [64, 64, 3]."""
    stripes = (np.add.outer(np.arange(SIZE), 2 * np.arange(SIZE)) // 16 % 2 * 200).astype(np.uint8)
    return np.stack([stripes, 255 - stripes, stripes], 2)


def cut_off() -> bytes:
    """A PNG that ends early."""
    content = BytesIO()
    Image.fromarray(sharp()).save(content, "PNG")
    return content.getvalue()[:100]


def small() -> np.ndarray:
    """8 x 8 pixels."""
    return sharp()[:8, :8]


def grey() -> np.ndarray:
    """One grey with a little noise."""
    noise = np.random.default_rng(0).integers(-2, 3, (SIZE, SIZE, 3))
    return (128 + noise).astype(np.uint8)


def blurred() -> np.ndarray:
    """The sharp one out of focus."""
    return np.asarray(Image.fromarray(sharp()).filter(ImageFilter.GaussianBlur(6)))
