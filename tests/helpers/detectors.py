"""Tiny detectors of transformers with weights that tell all queries apart, and what they are
compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multigraft import Brief, Origin
from multigraft.contracts.types import Spec
from multigraft.models.graft import Graft
from multigraft_vision.detr.build import build
from multigraft_vision.detr.configuration import find
from multigraft_vision.detr.objective import SetDetection
from multigraft_vision.detr.preprocessing import reader_spec
from multigraft_vision.reader import image_reader

KINDS = ("rt_detr", "rt_detr_v2", "d_fine")
LABELS = ["a", "b", "c"]


def origin_of(kind: str = "rt_detr", path: Path | None = None) -> Origin:
    """The tiny size of a type from scratch, or a folder."""
    size = find(f"{kind}-tiny")
    assert size is not None
    return Origin(backbone=f"detr/{kind}-tiny", size=f"{kind}-tiny", config=size.config, path=path)


def spec_of(origin: Origin, size: Any = (64, 96)) -> Spec:
    return reader_spec(origin, {"size": list(size), "places": True})


def grafted(
    kind: str = "rt_detr", path: Path | None = None, labels: list[str] = LABELS
) -> tuple[Graft, SetDetection]:
    """A detector with its own head, in evaluation mode."""
    torch.manual_seed(0)
    origin = origin_of(kind, path)
    spec = spec_of(origin)
    backbone = build(origin, spec)
    brief = Brief(
        backbone=backbone,
        reader=image_reader(spec),
        targets={"labels": labels},
        options={},
        modality="image",
    )
    objective = SetDetection(brief)
    graft = Graft(backbone, objective.head())
    if path is None:
        apart(graft)
    return graft.eval(), objective


@torch.no_grad()
def apart(graft: Graft) -> None:
    """Make all weights count: of a new network's queries many are equal, which TopK then takes in
    any order."""
    for parameter in graft.parameters():
        if parameter.ndim > 1:
            parameter.add_(torch.randn_like(parameter), alpha=0.3 / parameter[0].numel() ** 0.5)


def pictures(count: int, size: tuple[int, int] = (64, 96)) -> Tensor:
    """uint8 [count, H, W, 3]."""
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.integers(0, 256, (count, *size, 3)).astype(np.uint8))


def pixels(images: Tensor) -> Tensor:
    """What transformers takes."""
    return images.permute(0, 3, 1, 2).float() / 255


def surest_first(logits: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Both by the queries' best scores: their order says nothing."""
    order = logits.max(-1).values.argsort(dim=1, descending=True).unsqueeze(-1)
    return tuple(each.gather(1, order.expand_as(each)) for each in (logits, boxes))  # type: ignore[return-value]


def objects() -> dict[str, Tensor]:
    """Four rows of boxes with classes, of a picture of 64 x 96; one of them is padded."""
    boxes = [
        [[4, 4, 30, 40], [30, 10, 90, 60]],
        [[1, 1, 20, 20], [0, 0, 0, 0]],
        [[10, 10, 50, 50], [20, 5, 80, 30]],
        [[0, 0, 96, 64], [50, 30, 70, 60]],
    ]
    classes = torch.tensor([[0, 2], [1, -1], [2, 2], [0, 1]])
    return {"boxes": torch.tensor(boxes, dtype=torch.float32), "classes": classes}
