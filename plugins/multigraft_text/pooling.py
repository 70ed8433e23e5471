"""Pooling: hidden states to what each architecture's own last linear layer reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from multigraft_text.standing_in import hidden_output, logits_behind

Pool = Callable[[Any, Any, Tensor], Tensor]
"""(classifier without its last linear layer, its base model's output, mask [B, T]) -> [B, D]."""


def pooler(classifier: Any, output: Any, mask: Tensor) -> Tensor:
    """The first token through the base model's dense layer and tanh."""
    del classifier, mask
    pooled: Tensor = output.pooler_output
    return pooled


def dense_head(classifier: Any, output: Any, mask: Tensor) -> Tensor:
    """The first token through the classifier's own dense layer."""
    del mask
    pooled: Tensor = classifier.classifier(output.last_hidden_state)
    return pooled


def rectified(classifier: Any, output: Any, mask: Tensor) -> Tensor:
    """DistilBERT's: the first token through a dense layer and ReLU."""
    del mask
    return torch.relu(classifier.pre_classifier(output.last_hidden_state[:, 0]))


def prediction_head(classifier: Any, output: Any, mask: Tensor) -> Tensor:
    """ModernBERT's: the first token or the mean, as configured, through its prediction head."""
    hidden = output.last_hidden_state
    if classifier.config.classifier_pooling == "mean":
        real = mask.unsqueeze(-1).to(hidden.dtype)
        pooled = (hidden * real).sum(1) / real.sum(1).clamp(min=1)
    else:
        pooled = hidden[:, 0]
    return classifier.head(pooled)


def last_token(classifier: Any, output: Any, mask: Tensor) -> Tensor:
    """The last real token of each row, whose padding is on the right."""
    del classifier
    hidden: Tensor = output.last_hidden_state
    return hidden[torch.arange(hidden.shape[0], device=hidden.device), _last(mask)]


def own_tail(classifier: Any, output: Any, mask: Tensor) -> Tensor:
    """An encoder's, whatever stands between its base and its last linear layer."""
    return logits_behind(classifier, output, input_ids=mask, attention_mask=mask)


def own_tail_of_last(classifier: Any, output: Any, mask: Tensor) -> Tensor:
    """A decoder's: the same, of each row's last real token."""
    last = last_token(classifier, output, mask)[:, None]
    return logits_behind(classifier, hidden_output(last), input_ids=mask[:, :1])


def _last(mask: Tensor) -> Tensor:
    """The place of each row's last real token: [B]."""
    return (mask.sum(1) - 1).clamp(min=0)


POOLS: Mapping[str, Pool] = {
    "bert": pooler,
    "roberta": dense_head,
    "xlm-roberta": dense_head,
    "camembert": dense_head,
    "electra": dense_head,
    "distilbert": rectified,
    "modernbert": prediction_head,
    "gpt2": last_token,
    "llama": last_token,
    "mistral": last_token,
    "qwen2": last_token,
    "qwen3": last_token,
}
"""By transformers' model type: written out where it is known, which costs least."""


def pool_of(kind: str, *, causal: bool) -> Pool:
    """How a model type pools: as written out above, else by its classifier's own code."""
    return POOLS.get(kind, own_tail_of_last if causal else own_tail)
