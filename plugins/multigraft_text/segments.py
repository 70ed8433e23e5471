"""Sequence packing: each token's position in its own row, and a mask that hides other rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from multigraft import MultigraftError
from multigraft_text.specs import OFFSET_POSITIONS

FULL = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "distilbert", "gpt2", "llama")
"""Every layer sees the whole row."""
SLIDING = ("mistral",)
"""Every layer sees a window, where the configuration has one."""
MIXED = ("modernbert", "qwen2", "qwen3")
"""Some layers see the whole row and some a window, where the configuration has one."""
PACKABLE = (*FULL, *SLIDING, *MIXED)
"""The transformers model types that keep joined rows apart."""


def can_pack(config: Any) -> bool:
    """Tell whether a model keeps joined rows apart: `PACKABLE`, and takes boolean masks."""
    return config.model_type in PACKABLE and config._attn_implementation == "sdpa"


def packed_inputs(config: Any, segments: Tensor, *, causal: bool) -> dict[str, Any]:
    """``position_ids`` and ``attention_mask`` of joined rows: ``segments`` [B, T], 0 where padded.

    Raises MultigraftError for a model that cannot keep them apart.
    """
    if not can_pack(config):
        raise MultigraftError(
            f"a {config.model_type!r} with {config._attn_implementation!r} attention cannot keep "
            "joined rows apart; leave training.packing unset, or use one of "
            f"{', '.join(sorted(PACKABLE))} with 'sdpa'"
        )
    first = config.pad_token_id + 1 if config.model_type in OFFSET_POSITIONS else 0
    return {
        "position_ids": places(segments) + first,
        "attention_mask": _masks(config, segments, causal=causal),
    }


def places(segments: Tensor) -> Tensor:
    """Position of each token in its row, from 0; 0 for padding.

    >>> places(torch.tensor([[1, 1, 1, 2, 2, 0, 0]])).tolist()
    [[0, 1, 2, 0, 1, 0, 0]]
    """
    index = torch.arange(segments.shape[1], device=segments.device).expand_as(segments)
    begins = torch.ones_like(segments, dtype=torch.bool)
    begins[:, 1:] = segments[:, 1:] != segments[:, :-1]
    start = index.masked_fill(~begins, 0).cummax(1).values
    return (index - start).masked_fill(segments == 0, 0)


def _masks(config: Any, segments: Tensor, *, causal: bool) -> Tensor | dict[str, Tensor]:
    """Which token (third axis) sees which (last): bool [B, 1, T, T], where layers differ one by
    their type.

    Padding sees padding, so that no row of the attention is empty.
    """
    index = torch.arange(segments.shape[1], device=segments.device)
    back = index[:, None] - index
    full = segments[:, None, :, None] == segments[:, None, None, :]
    if causal:
        full = full & (back >= 0)
    window = getattr(config, "sliding_window", None)
    if config.model_type in FULL or window is None:
        return full
    # a causal window counts the token itself
    near = full & (back.abs() <= (window - 1 if causal else window))
    return (
        near
        if config.model_type in SLIDING
        else {"full_attention": full, "sliding_attention": near}
    )
