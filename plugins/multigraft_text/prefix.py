"""A language model behind a prefix of vectors (Li & Liang 2021; Mokady et al. 2021)."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from multigraft import Features, MultigraftError, NewTokens, Writing
from multigraft.contracts.features import Batch
from multigraft.contracts.generation import Tensors
from multigraft_text.scoring import causal_scorer
from multigraft_text.specs import positions
from multigraft_text.writing import CachedDecoder, cache_of, cache_to, special_ids


class PrefixDecoder(nn.Module):
    """Writes behind vectors that stand in the place of the first tokens' embeddings, as
    `multigraft.contracts.generation.Decoder` describes.

    What it remembers of a row are the keys and values of its prefix: they stand in front of those
    of the tokens, and are computed once.
    """

    def __init__(self, backbone: Any, length: int) -> None:
        super().__init__()
        base = backbone.model.base_model
        if "inputs_embeds" not in signature(base.forward).parameters:
            raise MultigraftError(
                f"a {base.config.model_type!r} takes tokens alone, no vectors in their place: "
                "nothing can stand in front of its texts"
            )
        config, embedding = base.config, backbone.embedding
        room = positions(config) - length
        if room < 2:
            raise MultigraftError(
                f"task.prefix_length: found {length}; the language model holds "
                f"{positions(config)} tokens, and a text needs 2 of them"
            )
        self.cached = CachedDecoder(base, causal_scorer(backbone))
        self.length = length
        self.width: int = embedding.weight.shape[1]
        self.scale = float(embedding.weight.detach().float().std())
        state = cache_of(base)
        self.writing = Writing(
            state=state,
            memory={name: (axes[0], length, axes[2]) for name, axes in state.items()},
            vocabulary=config.vocab_size,
            max_length=room,
            pad=backbone.spec["pad_id"],
            start=_start(backbone.spec),
            stop=special_ids(backbone.spec, "eos_token"),
        )

    def remember(self, features: Features, batch: Batch) -> Tensors:
        """Keys and values of the prefix ``sequence`` [B, length, width] in every layer."""
        del batch
        assert features.sequence is not None
        prefix = features.sequence
        given = {"past_key_values": DynamicCache(), "use_cache": True}
        taken = {name: each for name, each in given.items() if name in self.cached.taken}
        output = self.cached.base(inputs_embeds=prefix, **taken)
        return cache_to(output.past_key_values)

    def step(self, new: NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """Logits of the kept among the new tokens, and the keys and values of all tokens."""
        whole = {name: torch.cat([memory[name], past[name]], dim=2) for name in past}
        before = new.mask.new_ones(len(new.mask), self.length)
        behind = NewTokens(
            new.ids, torch.cat([before, new.mask], dim=1), new.positions + self.length, new.kept
        )
        logits, present = self.cached.step(behind, whole, {})
        return logits, {name: each[:, :, self.length :] for name, each in present.items()}


def _start(spec: Any) -> tuple[int, ...]:
    """What a text begins with. Raises MultigraftError where the tokenizer has no such token."""
    found = special_ids(spec, "bos_token") or special_ids(spec, "eos_token")
    if not (found and special_ids(spec, "eos_token")):
        raise MultigraftError(
            "the tokenizer of the language model has no end token, so its texts would never end; "
            "take another backbone"
        )
    return found
