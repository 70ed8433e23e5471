"""Generated pictures with the class of every pixel, and a plain torch side of telling it.

The scenes of `benchmarks.objects`, each with a PNG of the classes' numbers: 0 the ground, then
`images.SHAPES`. The plain side is what people write: timm's maps of a ResNet-18 and SegFormer's
head (Xie et al. 2021) of 128 channels, batch normalisation in it, cross-entropy at full size.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import images
from benchmarks.objects import RADIUS, SIZE, squashed
from benchmarks.training import Settings

CLASSES = ("ground", *images.SHAPES)
WIDTH = 128
TABLE = "masks.jsonl"


def write_masks(folder: Path, count: int, *, seed: int) -> Path:
    """JPEG files with their PNG masks, and a table of both, `TABLE`."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(count):
        made, name = images.scene(rng, most=4, radius=RADIUS), f"{number:05d}"
        made.picture.save(folder / f"{name}.jpg", quality=90)
        made.mask.save(folder / f"{name}.png")
        lines.append(json.dumps({"image": f"{name}.jpg", "mask": f"{name}.png"}))
    (folder / TABLE).write_text("\n".join(lines) + "\n")
    return folder


def true_masks(table: Path) -> dict[Path, np.ndarray]:
    """The mask uint8 [H, W] of each picture."""
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    return {
        table.parent / row["image"]: np.array(Image.open(table.parent / row["mask"]))
        for row in rows
    }


def plain_network(seed: int) -> Any:
    """A ResNet-18 of random weights with SegFormer's head: [B, 3, H, W] -> [B, classes, H/4, W/4],
    on pixels 0 to 1."""
    import timm
    import torch
    from torch import Tensor, nn
    from torch.nn import functional

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = timm.create_model("resnet18", features_only=True, out_indices=(1, 2, 3, 4))
            widths = self.body.feature_info.channels()
            self.levels = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in widths)
            self.joint = nn.Conv2d(WIDTH * len(widths), WIDTH, 1, bias=False)
            self.norm, self.drop = nn.BatchNorm2d(WIDTH), nn.Dropout(0.1)
            self.classes = nn.Conv2d(WIDTH, len(CLASSES), 1)

        def forward(self, images: Tensor) -> Tensor:
            maps = [level(each) for level, each in zip(self.levels, self.body(images), strict=True)]
            size = maps[0].shape[2:]
            joint = torch.cat([functional.interpolate(m, size, mode="bilinear") for m in maps], 1)
            logits: Tensor = self.classes(self.drop(self.norm(self.joint(joint)).relu()))
            return logits

    torch.manual_seed(seed)
    return Network()


def decoded(table: Path) -> tuple[Any, Any]:
    """Pictures float [N, 3, `SIZE`, `SIZE`] and masks int64 [N, `SIZE`, `SIZE`], squashed."""
    import torch

    masks, nearest = true_masks(table), Image.Resampling.NEAREST
    small = [Image.fromarray(mask).resize((SIZE, SIZE), nearest) for mask in masks.values()]
    targets = torch.from_numpy(np.stack([np.array(each) for each in small])).long()
    return torch.stack([squashed(path)[0] for path in masks]), targets


def train_by_hand(model: Any, pixels: Any, targets: Any, *, settings: Settings, seed: int) -> None:
    """The usual loop: AdamW, cross-entropy of the logits enlarged to the pictures."""
    import torch
    from torch.nn import functional
    from transformers import get_linear_schedule_with_warmup

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    a_pass = math.ceil(len(pixels) / settings.batch_size)
    steps = a_pass * settings.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(settings.warmup * steps), steps)
    rng = np.random.default_rng(seed)
    model.train()
    for _ in range(settings.epochs):
        for chosen in np.array_split(rng.permutation(len(pixels)), a_pass):
            logits = functional.interpolate(model(pixels[chosen]), (SIZE, SIZE), mode="bilinear")
            optimizer.zero_grad()
            functional.cross_entropy(logits, targets[chosen]).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            schedule.step()


def label(model: Any, paths: Sequence[Path], *, batch: int) -> list[np.ndarray]:
    """The classes' numbers [H, W] of files, in their own pixels."""
    import torch
    from torch.nn import functional

    model.eval()
    found = []
    for start in range(0, len(paths), batch):
        files = paths[start : start + batch]
        with torch.inference_mode():
            logits = model(torch.stack([squashed(path)[0] for path in files]))
            for each, path in zip(logits, files, strict=True):
                with Image.open(path) as picture:
                    size = picture.size[::-1]
                large = functional.interpolate(each[None], size, mode="bilinear")
                found.append(large[0].argmax(0).numpy())
    return found


def mean_overlap(found: Sequence[np.ndarray], true: Sequence[np.ndarray]) -> float:
    """Mean intersection over union of the classes, over all pixels of all pictures."""
    counts = np.zeros((len(CLASSES), len(CLASSES)))
    for told, mask in zip(found, true, strict=True):
        np.add.at(counts, (mask.ravel().astype(int), told.ravel().astype(int)), 1)
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    return float((counts.diagonal() / union.clip(min=1))[union > 0].mean())
