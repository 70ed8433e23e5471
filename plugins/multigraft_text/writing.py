"""A GPT as a decoder that keeps what it has read."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from multigraft import MultigraftError
from multigraft.contracts.generation import PAST, Axes, NewTokens, Tensors
from multigraft.contracts.types import Spec
from multigraft.errors import refused_as
from multigraft.models.modes import evaluating
from multigraft_text.token_ids import token_ids


class CachedDecoder(nn.Module):
    """A transformers decoder with its tied output matrix, as
    `multigraft.contracts.generation.Decoder` describes."""

    def __init__(self, base: Any, scorer: nn.Module) -> None:
        super().__init__()
        self.base = base
        self.scorer = scorer
        """[..., E] -> logits [..., V]."""
        self.taken = frozenset(signature(base.forward).parameters)

    def step(self, new: NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """Logits of the kept among the new tokens, and the keys and values of every layer."""
        del memory
        inputs = {
            "attention_mask": new.mask,
            "position_ids": new.positions,
            "past_key_values": cache_from(past),
            "use_cache": True,
        }
        taken = {name: each for name, each in inputs.items() if name in self.taken}
        output = self.base(input_ids=new.ids, **taken)
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


def cache_of(base: Any) -> dict[str, Axes]:
    """The names of a decoder's keys and values, with the shape of a row's, as its first token
    leaves them. Raises MultigraftError where it keeps something else."""
    device = base.get_input_embeddings().weight.device
    token = torch.zeros(1, 1, dtype=torch.long, device=device)
    mask = {"attention_mask": torch.ones_like(token)}
    taken = mask if "attention_mask" in signature(base.forward).parameters else {}
    kept = refused_as(
        MultigraftError,
        f"a {base.config.model_type!r} keeps other things than keys and values from token to "
        "token, which no graph can hold yet: it can be trained, but not exported to write",
    )
    with kept, evaluating(base), torch.no_grad():
        cache = base(input_ids=token, past_key_values=DynamicCache(), use_cache=True, **taken)
        state = cache_to(cache.past_key_values)
    return {name: (each.shape[1], PAST, each.shape[3]) for name, each in state.items()}


def special_ids(spec: Spec, role: str) -> tuple[int, ...]:
    """The id of the token that plays a role, where there is one."""
    found = token_ids(spec).get(spec["special"].get(role))
    return () if found is None else (found,)
