"""What a transformers model does behind its base, computed from hidden states that are given."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions


@dataclass
class _Hidden(BaseModelOutputWithPastAndCrossAttentions):
    """Hidden states, and nothing of all else that some type's head looks for."""

    router_logits: Any = None


class _Given(nn.Module):
    """Stands in the place of a base model, and gives what it was given."""

    def __init__(self, output: Any) -> None:
        super().__init__()
        self.output = output

    @property
    def decoder(self) -> _Given:
        """Itself: some models call a part of their base."""
        return self

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """The output, whatever the inputs."""
        del inputs, named
        return self.output


def logits_behind(model: Any, output: Any, **inputs: Any) -> Tensor:
    """The ``logits`` of a model whose base gave ``output``; the base itself is not run."""
    shell = copy.copy(model)
    shell.__dict__["_modules"] = {**model._modules, model.base_model_prefix: _Given(output)}
    logits: Tensor = shell(**inputs).logits
    return logits


def hidden_output(hidden: Tensor) -> Any:
    """Hidden states [B, T, D] as a base model's output."""
    return _Hidden(last_hidden_state=hidden)
