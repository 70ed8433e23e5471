"""Generated pictures with objects as COCO, and torchvision's side of detecting them.

A picture is a JPEG of `benchmarks.images` grounds, 180 to 220 x 165 to 195 pixels, with up to four
bright shapes (disc, square, cross, ring: the labels) of 12 to 32 pixels' radius.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
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
        made = images.scene(rng, most=4, radius=RADIUS)
        made.picture.save(folder / f"{number:05d}.jpg", quality=90)
        listed.append({"id": number, "file_name": f"{number:05d}.jpg"})
        for shape, box in made.objects:
            about = {"id": len(annotations) + 1, "image_id": number, "bbox": box}
            annotations.append({**about, "category_id": images.SHAPES.index(shape)})
    categories = [{"id": number, "name": name} for number, name in enumerate(images.SHAPES)]
    content = {"images": listed, "annotations": annotations, "categories": categories}
    (folder / ANNOTATIONS).write_text(json.dumps(content))
    return folder


def scenes(folder: Path) -> list[tuple[Any, dict[str, Any]]]:
    """Pictures as float tensors, squashed to `SIZE`, with torchvision's targets."""
    import torch

    found = []
    for path, here in wanted(folder).items():
        image, scale = squashed(path)
        boxes = np.array([one["box"] for one in here], np.float32).reshape(-1, 4)
        boxes = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1) * scale
        labels = torch.tensor([images.SHAPES.index(one["label"]) + 1 for one in here])
        found.append((image, {"boxes": torch.from_numpy(boxes), "labels": labels}))
    return found


def wanted(folder: Path) -> dict[Path, list[dict[str, Any]]]:
    """What stands in each picture: label, and box (left, top, width, height) in its pixels."""
    content = json.loads((folder / ANNOTATIONS).read_text())
    paths = {each["id"]: folder / each["file_name"] for each in content["images"]}
    found: dict[Path, list[dict[str, Any]]] = {path: [] for path in paths.values()}
    for each in content["annotations"]:
        label = images.SHAPES[each["category_id"]]
        found[paths[each["image_id"]]].append({"label": label, "box": each["bbox"]})
    return found


def squashed(path: Path) -> tuple[Any, np.ndarray]:
    """A picture as a float tensor [3, `SIZE`, `SIZE`], and what its boxes [4] are multiplied by."""
    import torch

    with Image.open(path) as picture:
        width, height = picture.size
        pixels = np.array(picture.convert("RGB").resize((SIZE, SIZE)))
    scale = np.array([SIZE / width, SIZE / height] * 2, np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255, scale


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


def detect(model: Any, paths: Sequence[Path], *, batch: int = 1) -> list[list[dict[str, Any]]]:
    """What torchvision's detector tells of files, in their own pixels, as our answers have it."""
    import torch

    model.eval()
    answers = []
    for start in range(0, len(paths), batch):
        read = [squashed(path) for path in paths[start : start + batch]]
        with torch.inference_mode():
            found = model([image for image, _ in read])
        answers += [_told(each, scale) for each, (_, scale) in zip(found, read, strict=True)]
    return answers


def _told(found: Mapping[str, Any], scale: np.ndarray) -> list[dict[str, Any]]:
    boxes = found["boxes"].numpy() / scale
    return [
        {"label": images.SHAPES[label - 1], "score": score, "box": box}
        for label, score, box in zip(
            found["labels"].tolist(), found["scores"].tolist(), boxes.tolist(), strict=True
        )
    ]


def precision_at_half(
    answers: Sequence[Sequence[Mapping[str, Any]]], true: Sequence[Sequence[Mapping[str, Any]]]
) -> float:
    """Average precision at an overlap of one half, as ours is computed."""
    judge = Detection({"labels": list(images.SHAPES)})
    kept = [
        judge.score({"objects": list(told)}, {"objects": list(here)})
        for told, here in zip(answers, true, strict=True)
    ]
    stacked = {name: np.stack([each[name] for each in kept]) for name in kept[0]}
    return float(judge.summarise(judge.together(stacked))["ap50"])
