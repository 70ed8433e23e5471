"""Let each encoder block depend on its own row alone, and hold what acts in front of it, so that
blocks that are frozen can be replayed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


def part_blocks(model: Any) -> None:
    """Move into the encoder's blocks what transformers computes between or in front of them."""
    encoder = model.get_encoder()
    if hasattr(encoder, "layers"):
        _move_dropout(encoder)
    elif _shares_bias(encoder.block):
        _compute_bias_apart(encoder.block)


def keep_positions_apart(model: Any) -> None:
    """Make buffers of positions that are computed and never learn (Marian's): what is saved leaves
    them out."""
    for module in model.modules():
        if hasattr(module, "create_weight"):
            weight = module.weight
            del module.weight
            module.register_buffer("weight", weight.detach(), persistent=False)


def _move_dropout(encoder: Any) -> None:
    """The dropout behind the embeddings of a BART acts with its first block."""
    first, chance = encoder.layers[0], encoder.dropout
    encoder.dropout = 0.0
    first.register_forward_pre_hook(partial(_drop, chance))


def _drop(chance: float, block: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    return F.dropout(given[0], chance, block.training), *given[1:]


def _shares_bias(blocks: nn.ModuleList) -> bool:
    """Whether the first block's table of distances is every block's, as in T5 and mT5."""
    return not any(_attention(block).has_relative_attention_bias for block in blocks[1:])


def _compute_bias_apart(blocks: nn.ModuleList) -> None:
    """Each block looks distances up itself, and gives its states alone: a row's own."""
    for block in blocks:
        block.forward = partial(_forward, block.forward, blocks[0])


def _forward(
    forward: Callable[..., Any],
    owner: nn.Module,
    hidden: Tensor,
    mask: Tensor,
    *rest: Any,
    **more: Any,
) -> tuple[Any, ...]:
    _, *others = rest  # the first is the bias of the block before
    length = hidden.shape[1]
    bias = _attention(owner).compute_bias(length, length, device=hidden.device)
    states, *_ = forward(hidden, mask, bias, *others, **more)
    return states, None, None


def _attention(block: Any) -> Any:
    return block.layer[0].SelfAttention
