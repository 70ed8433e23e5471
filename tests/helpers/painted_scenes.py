"""Made-up scenes: discs and squares on a noisy ground, with masks that say where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CLASSES = ("ground", "disc", "square")
SIZES = [(40, 40), (56, 40), (40, 60)]
"""Width and height."""


def scene(rng: np.random.Generator, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A picture uint8 [H, W, 3], and its classes uint8 [H, W]."""
    pixels = rng.normal(90, 12, (height, width, 3))
    classes = np.zeros((height, width), np.uint8)
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    for kind, color in ((1, (220, 60, 60)), (2, (60, 60, 220))):
        radius = rng.uniform(6, 10)
        across, down = rng.uniform(6, width - 6), rng.uniform(6, height - 6)
        apart = np.abs(x - across), np.abs(y - down)
        inside = apart[0] ** 2 + apart[1] ** 2 < radius**2 if kind == 1 else None
        if inside is None:
            inside = (apart[0] < radius) & (apart[1] < radius)
        classes[inside] = kind
        pixels[inside] = color + rng.normal(0, 12, (int(inside.sum()), 3))
    return pixels.clip(0, 255).astype(np.uint8), classes


def table(folder: Path, count: int, *, seed: int = 0) -> Path:
    """JSON lines of pictures and masks, in which a strip of pixels is ignored."""
    rng = np.random.default_rng(seed)
    lines: list[dict[str, Any]] = []
    for number in range(count):
        pixels, classes = scene(rng, *SIZES[number % len(SIZES)])
        classes[:1] = 255
        name = f"{seed}-{number:03d}"
        Image.fromarray(pixels).save(folder / f"{name}.png")
        mask = Image.fromarray(classes)
        mask.putpalette([shade for value in range(256) for shade in (value, 0, 255 - value)])
        mask.save(folder / f"{name}.mask.png")
        lines.append({"image": f"{name}.png", "mask": f"{name}.mask.png"})
    path = folder / f"scenes-{seed}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
