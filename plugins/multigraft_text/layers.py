"""Blocks of a transformers base model: what holds the token embeddings, and the layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from multigraft.errors import WeightsError


def layers_of(base: Any) -> Sequence[nn.Module]:
    """The layers in order; as one block what repeats a layer. Raises WeightsError where they are
    no modules of their own."""
    count = base.config.num_hidden_layers
    if not count:
        raise WeightsError(f"a {base.config.model_type!r} without layers (num_hidden_layers: 0)")
    for parent in base.modules():
        lists = [
            child
            for child in parent.children()
            if isinstance(child, nn.ModuleList) and len(child) == count
        ]
        if len(lists) > 1:
            raise WeightsError(
                f"the layers of a {base.config.model_type!r} are no modules of their own, but lie "
                f"in {len(lists)} lists: no strategy could tell them apart"
            )
        if lists:
            return lists[0]
    return [_largest(base)]


def embedding_holder(base: Any, layers: Sequence[nn.Module]) -> nn.Module:
    """The outermost module with the token embeddings and without a layer."""
    wanted, first, found = base.get_input_embeddings(), layers[0], base
    while any(module is first for module in found.modules()):
        found = next(
            child
            for child in found.children()
            if any(module is wanted for module in child.modules())
        )
    return found


def _largest(base: Any) -> nn.Module:
    """Of the parts without the token embeddings, the one with the most numbers."""
    wanted = base.get_input_embeddings()
    others = [
        child
        for child in base.children()
        if not any(module is wanted for module in child.modules())
    ]
    return max(others, key=lambda child: sum(each.numel() for each in child.parameters()))
