"""Sample pictures, made up, with which tests try what reads images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def good(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    """PNG files of stripes under noise, of several shapes."""
    return [_stripes(rng, folder / f"{number:03d}.png", number) for number in range(count)]


def bad(folder: Path) -> list[Any]:
    """Files that are missing, empty or no picture, and values that are no file."""
    empty, text = folder / "empty.png", folder / "text.png"
    empty.write_bytes(b"")
    text.write_text("no picture", encoding="utf-8")
    return [str(folder / "missing.png"), str(empty), str(text), 3]


def _stripes(rng: np.random.Generator, path: Path, number: int) -> str:
    height, width = 32 + number % 3, 32 + number % 5
    stripes = np.sin(np.arange(width) / 2 + rng.uniform(0, 6)) * 80 + 128
    noisy = np.tile(stripes, (height, 1))[..., None] + rng.normal(0, 25, (height, width, 3))
    pixels = noisy if number % 2 else noisy.transpose(1, 0, 2)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return str(path)
