"""A GPT as a decoder that keeps what it has read."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import DynamicCache

from multigraft.contracts.generation import PAST, Axes, NewTokens, Tensors
from multigraft.contracts.types import Spec
from multigraft_text.specs import token_ids


class CachedDecoder(nn.Module):
    """A transformers decoder with its tied output matrix, as
    `multigraft.contracts.generation.Decoder` describes."""

    def __init__(self, base: Any, scorer: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.scorer = scorer
        """[..., E] -> logits [..., V]."""

    def step(self, new: NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """Logits of the kept among the new tokens, and the keys and values of every layer."""
        del memory
        output = self.base(
            input_ids=new.ids,
            attention_mask=new.mask,
            position_ids=new.positions,
            past_key_values=cache_from(past),
            use_cache=True,
        )
        logits = self.scorer(output.last_hidden_state[:, new.kept])
        return logits, cache_to(output.past_key_values)


def cache_from(state: Tensors) -> DynamicCache:
    """Keys and values as transformers keeps them."""
    layers = range(len(state) // 2)
    return DynamicCache([(state[f"{layer}.key"], state[f"{layer}.value"]) for layer in layers])


def cache_to(cache: DynamicCache) -> dict[str, Tensor]:
    """The keys and values of every layer by name."""
    return {
        f"{number}.{part}": tensor
        for number, layer in enumerate(cache.layers)
        for part, tensor in (("key", layer.keys), ("value", layer.values))
    }


def cache_of(config: Any) -> dict[str, Axes]:
    """The names of a decoder's keys and values, with the shape of a row's."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return {
        f"{layer}.{part}": (heads, PAST, width)
        for layer in range(config.num_hidden_layers)
        for part in ("key", "value")
    }


def special_ids(spec: Spec, role: str) -> tuple[int, ...]:
    """The id of the token that plays a role, where there is one."""
    found = token_ids(spec).get(spec["special"].get(role))
    return () if found is None else (found,)
