"""Predictors of a detector: the layers that tell classes and boxes, apart from the network that
calls them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

PLACES = {
    "enc_score_head": "model",
    "enc_bbox_head": "model",
    "denoising_class_embed": "model",
    "class_embed": "model.decoder",
    "bbox_embed": "model.decoder",
    "pre_bbox_head": "model.decoder",
    "lqe_layers": "model.decoder",
}
"""The predictors by name, and the module of transformers' network that calls each."""
CLASSES = ("enc_score_head", "class_embed")
"""Those with an output for each class."""
DENOISED = "denoising_class_embed"
"""The embedding of the class of a true object that noise was added to; the last stands for none."""
TIED = ("class_embed", "bbox_embed")
"""What some networks hold a second time, outside of their decoder."""


def take_out(model: Any) -> nn.ModuleDict:
    """Take the predictors out of a network, which calls them on, but no longer has their
    weights."""
    for name in TIED:
        model._modules.pop(name, None)
    taken = nn.ModuleDict()
    for name, place in PLACES.items():
        parent = model.get_submodule(place)
        if name in parent._modules:
            taken[name] = parent._modules.pop(name)
            lend(model, name, taken[name])
    return taken


def lend(model: Any, name: str, layer: nn.Module) -> None:
    """Have the network call this layer, without owning it."""
    # in __dict__, where nn.Module looks for attributes, but not for submodules
    model.get_submodule(PLACES[name]).__dict__[name] = layer


@contextmanager
def put_back(model: Any, predictors: nn.ModuleDict) -> Iterator[None]:
    """The network with its predictors in it, for a while, as transformers saves it."""
    tied = [name for name in TIED if name in (model._tied_weights_keys or {})]
    for name, layer in predictors.items():
        parent = model.get_submodule(PLACES[name])
        del parent.__dict__[name]
        parent._modules[name] = layer
    for name in tied:
        model._modules[name] = predictors[name]
    try:
        yield
    finally:
        take_out(model)


def relabel(model: Any, predictors: nn.ModuleDict, labels: Sequence[str]) -> None:
    """Make the predictors tell these classes apart. What they know of a label of the same name
    stays; other classes begin anew, as transformers begins them."""
    names = model.config.id2label  # whose order in a file is that of "0", "1", "10", "2"
    known = [names.get(number) for number in range(model.config.num_labels)]
    if known == list(labels):
        return
    kept = [known.index(label) if label in known else None for label in labels]
    bias = -math.log(len(labels))  # a probability of 1 in classes + 1
    for name in CLASSES:
        layer = predictors[name]
        made: nn.Module = (
            nn.ModuleList(_linear(each, kept, bias) for each in layer)
            if isinstance(layer, nn.ModuleList)
            else _linear(layer, kept, bias)
        )
        predictors[name] = made
        lend(model, name, made)
    if DENOISED in predictors:
        predictors[DENOISED] = _embedding(predictors[DENOISED], kept)
        lend(model, DENOISED, predictors[DENOISED])
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: number for number, label in enumerate(labels)}


@torch.no_grad()
def _linear(old: Any, kept: Sequence[int | None], bias: float) -> nn.Linear:
    made = nn.Linear(old.in_features, len(kept))
    nn.init.xavier_uniform_(made.weight)
    nn.init.constant_(made.bias, bias)
    for row, source in enumerate(kept):
        if source is not None:
            made.weight[row], made.bias[row] = old.weight[source], old.bias[source]
    return made


@torch.no_grad()
def _embedding(old: Any, kept: Sequence[int | None]) -> nn.Embedding:
    made = nn.Embedding(len(kept) + 1, old.embedding_dim, padding_idx=len(kept))
    nn.init.xavier_uniform_(made.weight)
    for row, source in enumerate([*kept, old.num_embeddings - 1]):
        if source is not None:
            made.weight[row] = old.weight[source]
    return made
