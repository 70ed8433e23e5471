"""Loss of a detector row by row, by the criterion that transformers trains its type with: a
bipartite matching (Carion et al. 2020, DETR), then classes and boxes of the matched queries."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from multigraft.contracts.features import Batch
from multigraft_vision.detr.decoding import FIRST, LAYERS, NOISED, Targets


def targets_of(batch: Batch, size: tuple[int, int]) -> Targets:
    """The objects of each row, in an input of a height and width, as transformers takes them."""
    height, width = size
    scale = batch["boxes"].new_tensor([width, height, width, height])
    shares = to_centres(batch["boxes"].float() / scale)
    real = batch["classes"] >= 0
    return [
        {"class_labels": labels[there], "boxes": boxes[there]}
        for labels, boxes, there in zip(batch["classes"], shares, real, strict=True)
    ]


def row_losses(
    model: Any, outputs: Mapping[str, Tensor], targets: Targets
) -> tuple[Tensor, Tensor]:
    """The summed loss of each row [B], and what it is over: its objects, at least 1.

    transformers' is over the objects of a batch: that of one row, times its objects, adds up to it.
    """
    most = max(len(each["class_labels"]) for each in targets)
    weight = [max(1, len(each["class_labels"])) for each in targets]
    each = [
        count * _loss(model, _row(outputs, row), [target], most)
        for row, (target, count) in enumerate(zip(targets, weight, strict=True))
    ]
    return torch.stack(each), torch.tensor(weight, dtype=torch.float32, device=each[0].device)


def to_centres(boxes: Tensor) -> Tensor:
    """Boxes by their corners [..., 4] by centre, width and height."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def to_corners(boxes: Tensor) -> Tensor:
    """Boxes by centre, width and height [..., 4] by their corners."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def _row(outputs: Mapping[str, Tensor], row: int) -> dict[str, Tensor]:
    return {name: each[row : row + 1].float() for name, each in outputs.items()}


def _loss(model: Any, row: Mapping[str, Tensor], targets: Targets, most: int) -> Tensor:
    """The criterion on one row; of the last layer alone where the others are not there."""
    config = copy.copy(model.config)
    config.auxiliary_loss = f"{LAYERS}logits" in row and config.auxiliary_loss
    more: dict[str, Any] = {}
    if config.auxiliary_loss:
        more = {
            "enc_topk_logits": row[f"{FIRST}logits"],
            "enc_topk_bboxes": row[f"{FIRST}boxes"],
            "denoising_meta_values": _noise(row, targets, most),
            "outputs_class": _layers(row, "logits"),
            "outputs_coord": _layers(row, "boxes"),
            "predicted_corners": _layers(row, "corners"),
            "initial_reference_points": _layers(row, "starts"),
        }
    logits, boxes = row["logits"], row["boxes"]
    if more.get("denoising_meta_values") is not None:  # which it takes from in front of the others
        logits, boxes = (more[name][:, -1] for name in ("outputs_class", "outputs_coord"))
    loss, _, _ = model.loss_function(logits, list(targets), logits.device, boxes, config, **more)
    found: Tensor = loss
    return found


def _layers(row: Mapping[str, Tensor], name: str) -> Tensor | None:
    """What all layers said, of queries with noise first."""
    parts = [row[start + name] for start in (NOISED, LAYERS) if start + name in row]
    return torch.cat(parts, 2) if parts else None


def _noise(row: Mapping[str, Tensor], targets: Targets, most: int) -> dict[str, Any] | None:
    """Which queries with noise are true: each group has as many as the row of a batch with the
    ``most`` objects, the true ones first, then as many with so much noise that they are false."""
    if f"{NOISED}logits" not in row:
        return None
    count, queries = row[f"{NOISED}logits"].shape[2], row[f"{LAYERS}logits"].shape[2]
    groups, own = count // (2 * most), len(targets[0]["class_labels"])
    places: Sequence[int] = [
        group * 2 * most + place for group in range(groups) for place in range(own)
    ]
    positive = torch.tensor(places, dtype=torch.long, device=row["logits"].device)
    return {
        "dn_positive_idx": (positive,),
        "dn_num_group": groups,
        "dn_num_split": [count, queries],
    }
