"""Pictures with a few objects of plain colours on noise, as a folder with a COCO file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COLOURS = {"brick": (230, 60, 40), "leaf": (50, 190, 60)}


def painted(
    rng: np.random.Generator, *, size: tuple[int, int] = (64, 48), most: int = 3
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """A picture [H, W, 3] and its objects, none of which hides another."""
    width, height = size
    pixels = rng.integers(70, 130, (height, width, 3)).astype(np.uint8)
    objects: list[dict[str, Any]] = []
    for _ in range(int(rng.integers(0, most + 1))):
        wide, tall = (int(rng.integers(side // 6, side // 2)) for side in size)
        left, top = int(rng.integers(0, width - wide)), int(rng.integers(0, height - tall))
        box = [left, top, wide, tall]
        if any(_touch(box, each["box"]) for each in objects):
            continue
        label = str(rng.choice(list(COLOURS)))
        pixels[top : top + tall, left : left + wide] = COLOURS[label]
        objects.append({"label": label, "box": box})
    return pixels, objects


def coco_folder(folder: Path, count: int, *, seed: int = 0, **how: Any) -> Path:
    """Save so many pictures, and ``_annotations.coco.json`` beside them."""
    rng, names = np.random.default_rng(seed), list(COLOURS)
    folder.mkdir(parents=True, exist_ok=True)
    images: list[Any] = []
    annotations: list[Any] = []
    for number in range(count):
        pixels, objects = painted(rng, **how)
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")
        images.append({"id": number, "file_name": f"{number:03d}.png"})
        for each in objects:
            annotations.append(
                {
                    **{"id": len(annotations) + 1, "image_id": number, "bbox": each["box"]},
                    "category_id": names.index(each["label"]),
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "_annotations.coco.json").write_text(json.dumps(content))
    return folder


def _touch(one: list[int], other: list[int]) -> bool:
    return all(
        one[axis] < other[axis] + other[axis + 2] and other[axis] < one[axis] + one[axis + 2]
        for axis in (0, 1)
    )
