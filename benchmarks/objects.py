"""Generated pictures with objects as COCO, and torchvision's side of detecting them.

A picture is a JPEG of `benchmarks.images` grounds, 180 to 220 x 165 to 195 pixels, with up to four
bright shapes (disc, square, cross, ring: the labels) of 12 to 32 pixels' radius.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import images
from benchmarks.training import Settings
from multigraft.runtime.answers.detection import Detection

SIZE = 160
RADIUS = 12.0, 32.0
ANNOTATIONS = "_annotations.coco.json"


def write_scenes(folder: Path, count: int, *, seed: int) -> Path:
    """JPEG files and their COCO file."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    listed: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number in range(count):
        picture, objects = images.scene(rng, most=4, radius=RADIUS)
        picture.save(folder / f"{number:05d}.jpg", quality=90)
        listed.append({"id": number, "file_name": f"{number:05d}.jpg"})
        for shape, box in objects:
            about = {"id": len(annotations) + 1, "image_id": number, "bbox": box}
            annotations.append({**about, "category_id": images.SHAPES.index(shape)})
    categories = [{"id": number, "name": name} for number, name in enumerate(images.SHAPES)]
    content = {"images": listed, "annotations": annotations, "categories": categories}
    (folder / ANNOTATIONS).write_text(json.dumps(content))
    return folder


def scenes(folder: Path) -> list[tuple[Any, dict[str, Any]]]:
    """Pictures as float tensors, squashed to `SIZE`, with torchvision's targets."""
    import torch

    content = json.loads((folder / ANNOTATIONS).read_text())
    of_picture: dict[int, list[Any]] = {each["id"]: [] for each in content["images"]}
    for each in content["annotations"]:
        of_picture[each["image_id"]].append(each)
    found = []
    for each in content["images"]:
        with Image.open(folder / each["file_name"]) as picture:
            width, height = picture.size
            pixels = np.array(picture.convert("RGB").resize((SIZE, SIZE)))
        here = of_picture[each["id"]]
        boxes = np.array([one["bbox"] for one in here], np.float32).reshape(-1, 4)
        boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
        boxes = boxes * np.array([SIZE / width, SIZE / height] * 2, np.float32)
        labels = torch.tensor([one["category_id"] + 1 for one in here], dtype=torch.int64)
        target = {"boxes": torch.from_numpy(boxes), "labels": labels}
        image = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        found.append((image, target))
    return found


def fcos(seed: int) -> Any:
    """torchvision's FCOS on a ResNet-18 of random weights, at `SIZE`."""
    import torch
    from torchvision.models.detection import FCOS
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
    from torchvision.ops.feature_pyramid_network import LastLevelP6P7

    torch.manual_seed(seed)
    body = resnet_fpn_backbone(
        backbone_name="resnet18",
        weights=None,
        norm_layer=torch.nn.BatchNorm2d,
        trainable_layers=5,
        returned_layers=[2, 3, 4],
        extra_blocks=LastLevelP6P7(256, 256),
    )
    return FCOS(body, len(images.SHAPES) + 1, min_size=SIZE, max_size=SIZE)


def train_by_hand(model: Any, rows: list[Any], *, settings: Settings, seed: int) -> None:
    """The loop of torchvision's references/detection, with our optimizer and schedule."""
    import torch
    from transformers import get_linear_schedule_with_warmup

    optimizer = torch.optim.AdamW(
        model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    a_pass = math.ceil(len(rows) / settings.batch_size)
    steps = a_pass * settings.epochs
    schedule = get_linear_schedule_with_warmup(optimizer, math.ceil(settings.warmup * steps), steps)
    rng = np.random.default_rng(seed)
    model.train()
    for _ in range(settings.epochs):
        for chosen in np.array_split(rng.permutation(len(rows)), a_pass):
            batch = [rows[index] for index in chosen.tolist()]
            losses = model([image for image, _ in batch], [target for _, target in batch])
            optimizer.zero_grad()
            sum(losses.values()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimizer.step()
            schedule.step()


def precision_at_half(model: Any, rows: list[Any]) -> float:
    """Average precision at an overlap of one half, as ours is computed."""
    import torch

    answers, kept = Detection({"labels": list(images.SHAPES)}), list[Mapping[str, np.ndarray]]()
    model.eval()
    for image, target in rows:
        with torch.inference_mode():
            (found,) = model([image])
        told = [
            {"label": images.SHAPES[label - 1], "score": score, "box": box}
            for label, score, box in zip(
                found["labels"].tolist(), found["scores"].tolist(), found["boxes"].tolist(),
                strict=True,
            )
        ]  # fmt: skip
        corners = target["boxes"].numpy().astype(np.float64)
        sized = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1).tolist()
        wanted = [
            {"label": images.SHAPES[label - 1], "box": box}
            for label, box in zip(target["labels"].tolist(), sized, strict=True)
        ]
        kept.append(answers.score({"objects": told}, {"objects": wanted}))
    stacked = {name: np.stack([each[name] for each in kept]) for name in kept[0]}
    return float(answers.summarise(answers.together(stacked))["ap50"])
