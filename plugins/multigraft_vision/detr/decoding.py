"""Decoding of queries: the surest cells of an encoder's maps are refined to boxes, layer by layer
(Zhao et al. 2024, RT-DETR).

While it learns, true boxes to which noise was added are refined beside them (Zhang et al. 2023,
DINO).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Targets = Sequence[Mapping[str, Tensor]]
"""Of each row ``class_labels`` [N] and ``boxes`` [N, 4]: centre, width and height as shares of the
input."""
LAYERS, FIRST, NOISED = "layers.", "first.", "noised."
"""How outputs of all decoder layers, of the chosen cells, and of true boxes with noise are
called."""


@dataclass(frozen=True)
class Cells:
    """What the cells of the maps say of themselves."""

    memory: Tensor
    """[B, P, D]: what the decoder reads."""
    features: Tensor
    """[B, P, D]: what the predictors read of it."""
    scores: Tensor
    """[B, P, classes], logits."""
    boxes: Tensor
    """[B, P, 4], logits."""
    shapes: tuple[tuple[int, int], ...]
    """Height and width of each map."""


def decoded(model: Any, maps: Sequence[Tensor], targets: Targets | None) -> dict[str, Tensor]:
    """``logits`` [B, Q, classes] and ``boxes`` [B, Q, 4] of the last layer; with targets also what
    every layer said, and of true boxes with noise."""
    cells = _cells(model.model, maps)
    chosen = _chosen(cells.scores, model.config)
    start, first_scores = (_at(each, chosen) for each in (cells.boxes, cells.scores))
    queries = _queries(model, cells, chosen)
    noised = None if targets is None else _noised(model, targets)
    if noised is not None:
        queries = torch.cat([noised[0], queries], 1)
        start = torch.cat([noised[1], start], 1)
    found = model.model.decoder(
        inputs_embeds=queries,
        encoder_hidden_states=cells.memory,
        encoder_attention_mask=None if noised is None else noised[2],
        reference_points=start.detach(),
        spatial_shapes=torch.tensor(cells.shapes, device=cells.memory.device),
        spatial_shapes_list=list(cells.shapes),
        level_start_index=None,
    )
    count = 0 if noised is None else noised[0].shape[1]
    last = {
        "logits": found.intermediate_logits[:, -1, count:],
        "boxes": found.intermediate_reference_points[:, -1, count:],
    }
    if targets is None:
        return last
    first = {f"{FIRST}logits": first_scores, f"{FIRST}boxes": start[:, count:].sigmoid()}
    return {**last, **first, **_by_layer(found, count)}


def _cells(base: Any, maps: Sequence[Tensor]) -> Cells:
    sources = [layer(each) for layer, each in zip(base.decoder_input_proj, maps, strict=False)]
    for layer in base.decoder_input_proj[len(maps) :]:  # coarser levels than the encoder has
        sources.append(layer(maps[-1]))
    shapes = tuple((int(each.shape[2]), int(each.shape[3])) for each in sources)
    memory = torch.cat([each.flatten(2) for each in sources], 2).transpose(1, 2)
    anchors, inside = base.generate_anchors(shapes, device=memory.device, dtype=memory.dtype)
    # they are kept from call to call, where inference mode may have made them
    anchors, inside = anchors.clone(), inside.to(memory.dtype)
    features = base.enc_output(inside * memory)
    boxes = base.enc_bbox_head(features) + anchors
    return Cells(memory, features, base.enc_score_head(features), boxes, shapes)


def _chosen(scores: Tensor, config: Any) -> Tensor:
    """The numbers of the surest cells [B, Q], in the order of the cells, so that two that are
    nearly as sure stand alike however numbers are rounded; of equal ones the first."""
    best = scores.max(-1).values
    order = best.sort(dim=1, descending=True, stable=True).indices[:, : config.num_queries]
    # queries that are learned belong to ranks
    return order if config.learn_initial_query else order.sort(dim=1).values


def _queries(model: Any, cells: Cells, chosen: Tensor) -> Tensor:
    if model.config.learn_initial_query:
        learned: Tensor = model.model.weight_embedding.weight
        return learned.unsqueeze(0).expand(len(chosen), -1, -1)
    return _at(cells.features, chosen).detach()


def _noised(model: Any, targets: Targets) -> tuple[Tensor, Tensor, Tensor] | None:
    """Queries, boxes and the attention mask of true objects with noise; None where there are
    none."""
    config, base = model.config, model.model
    make = sys.modules[type(base).__module__].get_contrastive_denoising_training_group
    queries, boxes, mask, _ = make(
        targets=list(targets),
        num_classes=config.num_labels,
        num_queries=config.num_queries,
        class_embed=getattr(base, "denoising_class_embed", None),
        num_denoising_queries=config.num_denoising,
        label_noise_ratio=config.label_noise_ratio,
        box_noise_scale=config.box_noise_scale,
    )
    return None if queries is None else (queries, boxes, mask)


def _by_layer(found: Any, count: int) -> dict[str, Tensor]:
    """What every layer said [B, layers, Q, ...], apart of the ``count`` queries with noise."""
    said = {
        "logits": found.intermediate_logits,
        "boxes": found.intermediate_reference_points,
        "corners": found.intermediate_predicted_corners,
        "starts": found.initial_reference_points,
    }
    there = {name: each for name, each in said.items() if isinstance(each, Tensor)}
    whole = {f"{LAYERS}{name}": each[:, :, count:] for name, each in there.items()}
    noised = {f"{NOISED}{name}": each[:, :, :count] for name, each in there.items() if count}
    return {**whole, **noised}


def _at(values: Tensor, places: Tensor) -> Tensor:
    """[B, P, D] at the places [B, Q]."""
    return values.gather(1, places.unsqueeze(-1).expand(-1, -1, values.shape[-1]))
