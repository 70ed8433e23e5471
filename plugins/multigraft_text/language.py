"""Language modeling in common: the fit to a backbone, the tied decoder, token losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, MultigraftError


class TiedDecoder(nn.Module):
    """Scores every token by the matrix of the input embeddings, with a bias of its own if wanted.

    The matrix stays the backbone's: it is neither a parameter of this module nor in its state.
    """

    def __init__(self, embedding: nn.Embedding, *, bias: bool) -> None:
        super().__init__()
        self._tied = (embedding,)  # in a tuple, where nn.Module does not look for submodules
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings)) if bias else None

    @property
    def weight(self) -> Tensor:
        """The matrix, [V, E]."""
        return self._tied[0].weight

    def forward(self, hidden: Tensor) -> Tensor:
        """[N, E] -> logits [N, V]."""
        return F.linear(hidden, self._tied[0].weight, self.bias)


def fitting(brief: Brief, task: str, *, causal: bool) -> Any:
    """Take the run's backbone. Raises MultigraftError for the wrong reading direction."""
    backbone: Any = brief.backbone
    if getattr(backbone, "causal", None) is not causal or not hasattr(backbone, "embedding"):
        kind, names = ("a decoder", "gpt-...") if causal else ("an encoder", "bert-...")
        raise MultigraftError(
            f"task {task!r} needs {kind}, and backbone {type(backbone).__name__} is none; "
            f"backbones that fit: {names}, those of transformers/... that read so, or others "
            f"whose module has causal={causal} and an embedding"
        )
    return backbone


def token_losses(logits: Tensor, targets: Tensor, chosen: Tensor) -> Tensor:
    """Sum cross-entropies by row: logits [N, V], targets [N], chosen [B, T] with N true -> [B].

    Scattered to their places and summed, which unlike `index_add` gives the same bits on every
    device run.
    """
    losses = F.cross_entropy(logits.float(), targets, reduction="none")
    return losses.new_zeros(chosen.shape).masked_scatter(chosen, losses).sum(1)


def right_answers(logits: Tensor, targets: Tensor, chosen: Tensor) -> Tensor:
    """Count each row's chosen tokens that have the highest score: [B]."""
    right = (logits.argmax(-1) == targets).float()
    return right.new_zeros(chosen.shape).masked_scatter(chosen, right).sum(1)
