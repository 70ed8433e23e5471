"""Transformers' own language modeling head of any model type, on hidden states that are given."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM

from multigraft.errors import WeightsError, refused_as
from multigraft.models.modes import evaluating
from multigraft.system.quiet import quiet_transformers
from multigraft_text.language import TiedDecoder
from multigraft_text.standing_in import hidden_output, logits_behind
from multigraft_text.weights import DECODERS, any_config

FAR = 1e-4


class OwnScorer(nn.Module):
    """All that a language model of transformers has behind its base model.

    Where its output matrix is that of the token embeddings it stays the backbone's, as in
    `TiedDecoder`.
    """

    def __init__(self, model: Any, embedding: nn.Embedding) -> None:
        super().__init__()
        output = model.get_output_embeddings()
        if model.config.tie_word_embeddings and output is not None:
            tied = TiedDecoder(embedding, bias=output.bias is not None)
            tied.bias = output.bias
            name = next(name for name, module in model.named_modules() if module is output)
            model.set_submodule(name, tied)
        model.set_submodule(model.base_model_prefix, nn.Identity())
        self.model = model

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states [N, E] or [B, T, E] -> logits of every token, [..., V]."""
        rows = hidden if hidden.dim() == 3 else hidden[None]
        ids = torch.zeros(rows.shape[:2], dtype=torch.long, device=rows.device)
        logits = logits_behind(self.model, hidden_output(rows), input_ids=ids)
        return logits if hidden.dim() == 3 else logits[0]

    def save(self, base: nn.Module, folder: Any) -> None:
        """Write the whole language model, on this base, as transformers' folder."""
        prefix = f"{self.model.base_model_prefix}."
        state = {f"{prefix}{name}": tensor for name, tensor in base.state_dict().items()}
        self.model.save_pretrained(folder, state_dict={**state, **self.model.state_dict()})


def causal_scorer(backbone: Any) -> nn.Module:
    """What scores the next token behind a decoder: its token embeddings, used once more; or
    transformers' own head of the type, as where the weights have an output matrix of their own.
    Raises WeightsError as `own_scorer` does."""
    config = backbone.model.config
    if config.model_type in DECODERS and config.tie_word_embeddings:
        return TiedDecoder(backbone.embedding, bias=False)
    scorer = own_scorer(backbone, AutoModelForCausalLM)
    backbone.scorer = scorer if any(True for _ in scorer.parameters()) else None
    return scorer


def own_scorer(backbone: Any, automodel: Any) -> OwnScorer:
    """The head of the backbone's type and, where they hold one, weights. Raises WeightsError where
    it reads more than hidden states."""
    config = backbone.model.config
    with quiet_transformers():
        model = _whole(backbone, automodel)
    with evaluating(model), torch.no_grad():
        ids = torch.arange(6).reshape(1, 6) % config.vocab_size
        hidden = model.base_model(input_ids=ids).last_hidden_state
        wanted = model(input_ids=ids).logits
        scorer = OwnScorer(model, model.get_input_embeddings())
        with refused_as(WeightsError, _no_head(config)):
            found = scorer(hidden)
    if (found - wanted).abs().max() > FAR * wanted.abs().max():
        raise WeightsError(_no_head(config))
    return _on(scorer, backbone.embedding)


def _whole(backbone: Any, automodel: Any) -> Any:
    """The language model with a base of its own, which is let go afterwards."""
    if backbone.source is None:
        return automodel.from_config(backbone.model.config)
    return automodel.from_pretrained(
        backbone.source,
        config=any_config(backbone.source),
        dtype=torch.float32,
        local_files_only=True,
        trust_remote_code=False,
    )


def _on(scorer: OwnScorer, embedding: nn.Embedding) -> OwnScorer:
    """The scorer with the backbone's own token embeddings."""
    for module in scorer.modules():
        if isinstance(module, TiedDecoder):
            module._tied = (embedding,)
    return scorer


def _no_head(config: Any) -> str:
    return (
        f"the language modeling head of a {config.model_type!r} reads more than the hidden states "
        "of its base model; use another task, or another backbone"
    )
