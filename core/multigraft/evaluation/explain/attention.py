"""Attention maps of a network with their gradients, whichever library its layers are from."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class AttentionMaps(TorchFunctionMode):
    """Compute scaled dot-product attention in the open while active, and keep each layer's parts.

    transformers, timm and the tables' transformers all call torch's function, which says nothing of
    the map that it computes; what is given here in its place differs by rounding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.maps: list[Tensor] = []
        """[B, heads, T, S] each, in the order of the layers: the share that position t takes of
        position s."""
        self.values: list[Tensor] = []
        """[B, heads, S, D] each: what is taken of each position."""
        self.outputs: list[Tensor] = []
        """[B, heads, T, D] each: what each position is given."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Attend in the open; call all other functions as they are."""
        del types
        given = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **given)
        shares, value = attention(*args, **given)
        if torch.is_grad_enabled() and not shares.requires_grad:  # all in front of it is frozen
            shares.requires_grad_()
        self.maps.append(shares)
        self.values.append(value)
        self.outputs.append(shares @ value)
        return self.outputs[-1]


def attention(  # noqa: PLR0917 (torch's own signature)
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> tuple[Tensor, Tensor]:
    """The map [..., T, S] and the values [..., S, D] whose product torch's
    ``scaled_dot_product_attention`` gives of the same arguments; ``dropout_p`` is left out."""
    del dropout_p
    if enable_gqa:
        times = query.shape[-3] // key.shape[-3]
        key, value = (each.repeat_interleave(times, -3) for each in (key, value))
    logits = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(logits.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        logits = logits.masked_fill(~attn_mask, -math.inf)
    elif attn_mask is not None:
        logits = logits + attn_mask
    return logits.softmax(-1), value
