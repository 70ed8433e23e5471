"""A GPT as a decoder that keeps what it has read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from transformers import DynamicCache

from multigraft.contracts.records import Spec
from multigraft_text.specs import token_ids


class CachedDecoder(nn.Module):
    """A transformers decoder with its tied output matrix, as
    `multigraft.contracts.generation.Generating` calls it."""

    def __init__(self, base: Any, scorer: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.scorer = scorer
        """[..., E] -> logits [..., V]."""

    def forward(
        self, tokens: Tensor, mask: Tensor, positions: Tensor, kept: Tensor, past: Sequence[Tensor]
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits of the ``kept`` among the new tokens, and the keys and values of every layer by
        turns."""
        output = self.base(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=DynamicCache(list(zip(past[::2], past[1::2], strict=True))),
            use_cache=True,
        )
        logits = self.scorer(output.last_hidden_state[:, kept])
        layers = output.past_key_values.layers
        return logits, [tensor for layer in layers for tensor in (layer.keys, layer.values)]


def cache_of(config: Any) -> dict[str, tuple[int, int]]:
    """The names of a decoder's keys and values, with heads and width."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return {
        f"{layer}.{part}": (heads, width)
        for layer in range(config.num_hidden_layers)
        for part in ("key", "value")
    }


def special_ids(spec: Spec, role: str) -> tuple[int, ...]:
    """The id of the token that plays a role, where there is one."""
    found = token_ids(spec).get(spec["special"].get(role))
    return () if found is None else (found,)
