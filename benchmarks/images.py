"""Generated pictures in class folders, and timm's side of training on them.

A picture is a JPEG of about 200 x 180 pixels: a bright shape (disc, square, cross, ring: the label)
of random colour, size and place on a smooth random ground with noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from benchmarks.training import Settings

SHAPES = ("cross", "disc", "ring", "square")
SIZE = 160
WORKERS = 4
"""The default of timm's train.py."""


def write_pictures(folder: Path, count: int, *, seed: int) -> Path:
    """JPEG files ``folder/<shape>/<number>.jpg``, the shapes in turn."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        shape = SHAPES[index % len(SHAPES)]
        path = folder / shape / f"{index:05d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        _picture(shape, rng).save(path, quality=90)
    return folder


@dataclass(frozen=True)
class Scene:
    """A picture of some shapes; a later one may hide a part of an earlier one."""

    picture: Image.Image
    objects: Sequence[tuple[str, Sequence[float]]]
    """Each shape's name and box (left, top, width, height)."""
    mask: Image.Image
    """0 for the ground, else a shape's place in `SHAPES` and one, in a channel."""


def scene(rng: np.random.Generator, *, most: int, radius: tuple[float, float]) -> Scene:
    """One to ``most`` shapes on a ground."""
    picture = _ground(rng)
    mask, objects = Image.new("L", picture.size), []
    for shape in rng.choice(SHAPES, int(rng.integers(1, most + 1))).tolist():
        color, left, top, right, bottom = _placed(*picture.size, rng, radius)
        _draw(ImageDraw.Draw(picture), shape, (left, top, right, bottom), color)
        _draw(ImageDraw.Draw(mask), shape, (left, top, right, bottom), SHAPES.index(shape) + 1)
        objects.append((shape, [left, top, right - left, bottom - top]))
    return Scene(_noisy(picture, rng), objects, mask)


def _picture(shape: str, rng: np.random.Generator) -> Image.Image:
    picture = _ground(rng)
    color, *box = _placed(*picture.size, rng, (30.0, 55.0))
    _draw(ImageDraw.Draw(picture), shape, box, color)
    return _noisy(picture, rng)


def _ground(rng: np.random.Generator) -> Image.Image:
    width, height = int(rng.integers(180, 221)), int(rng.integers(165, 196))
    coarse = Image.fromarray(rng.integers(20, 170, (7, 8, 3), dtype=np.uint8))
    return coarse.resize((width, height), Image.Resampling.BICUBIC)


def _noisy(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    values = np.asarray(picture, dtype=np.float32)
    noisy = values + rng.normal(0, 12, values.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def _placed(
    width: int, height: int, rng: np.random.Generator, radii: tuple[float, float]
) -> tuple[tuple[int, ...], float, float, float, float]:
    """A colour, and a square that lies within the picture: left, top, right, bottom."""
    color = tuple(int(value) for value in rng.integers(170, 256, 3))
    radius = rng.uniform(*radii)
    x, y = rng.uniform(radius, width - radius), rng.uniform(radius, height - radius)
    return color, x - radius, y - radius, x + radius, y + radius


def _draw(pen: Any, shape: str, box: Sequence[float], fill: Any) -> None:
    left, top, right, bottom = box
    x, y, thin = (left + right) / 2, (top + bottom) / 2, (right - left) / 8
    if shape == "disc":
        pen.ellipse(tuple(box), fill=fill)
    elif shape == "square":
        pen.rectangle(tuple(box), fill=fill)
    elif shape == "ring":
        pen.ellipse(tuple(box), outline=fill, width=int(thin) + 4)
    else:
        pen.rectangle((left, y - thin, right, y + thin), fill=fill)
        pen.rectangle((x - thin, top, x + thin, bottom), fill=fill)


def loader(folder: Path, *, batch_size: int, train: bool, augment: str = "none") -> Any:
    """timm's `create_dataset` and `create_loader` as its train.py calls them, with its four
    workers.

    ``light`` is our augmentation of that name in timm's words: crops of 80 to 100% of the area,
    sides within 10%, mirrored at random, no change of colour.
    """
    import torch
    from timm.data import create_dataset, create_loader

    light = {"scale": (0.8, 1.0), "ratio": (0.9, 1.1), "hflip": 0.5, "color_jitter": None}
    return create_loader(
        create_dataset("", root=str(folder), is_training=train, batch_size=batch_size),
        input_size=(3, SIZE, SIZE),
        batch_size=batch_size,
        is_training=train,
        no_aug=train and augment == "none",
        interpolation="bilinear" if train else "bicubic",
        crop_pct=0.95,
        num_workers=WORKERS,
        device=torch.device("cpu"),
        persistent_workers=train,
        **(light if train and augment == "light" else {}),
    )


def train_by_hand(
    model: Any,
    epochs: Iterable[Iterable[Any]],
    *,
    steps: int,
    settings: Settings,
    bf16: bool = False,
) -> None:
    """The loop of timm's train.py, in fp32 or with its ``--amp``: its AdamW, cross-entropy,
    clipping."""
    import torch
    from timm.optim import create_optimizer_v2
    from transformers import get_linear_schedule_with_warmup

    optimizer = create_optimizer_v2(
        model, opt="adamw", lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(settings.warmup * steps), steps)
    criterion = torch.nn.CrossEntropyLoss()
    for batches in epochs:
        for images, labels in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
                loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            schedule.step()
            loss.item()


def accuracy(model: Any, folder: Path, *, batch_size: int) -> float:
    """Of a timm model on held-out pictures."""
    import torch

    right = total = 0
    model.eval()
    with torch.inference_mode():
        for images, labels in loader(folder, batch_size=batch_size, train=False):
            right += int((model(images).argmax(-1) == labels).sum())
            total += len(labels)
    return right / total
