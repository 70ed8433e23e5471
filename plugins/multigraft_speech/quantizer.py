"""Product quantisation with a Gumbel softmax (Jang et al. 2016; Baevski et al. 2020, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GumbelQuantizer(nn.Module):
    """Chooses one code in each group for a vector: straight-through in training, the best in
    evaluation.

    The softmax's temperature is ``start * decay ** batches``, not below ``floor``; ``batches``
    counts training batches in a buffer, so a resumed run goes on where it was. Names are
    transformers' own.
    """

    def __init__(
        self,
        inputs: int,
        *,
        groups: int,
        codes: int,
        width: int,
        start: float,
        floor: float,
        decay: float,
    ) -> None:
        super().__init__()
        self.groups = groups
        self.codes = codes
        self.start = start
        self.floor = floor
        self.decay = decay
        self.codevectors = nn.Parameter(torch.rand(1, groups * codes, width // groups))
        self.weight_proj = nn.Linear(inputs, groups * codes)
        nn.init.normal_(self.weight_proj.weight)
        nn.init.zeros_(self.weight_proj.bias)
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def forward(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """[M, inputs] -> quantised [M, width], perplexity [] of codes summed over groups."""
        scores = self.weight_proj(vectors).unflatten(1, (self.groups, self.codes)).float()
        if self.training:
            chosen = F.gumbel_softmax(scores, tau=self._temperature(), hard=True)
            used = scores.softmax(-1)
        else:
            chosen = used = F.one_hot(scores.argmax(-1), self.codes).to(scores.dtype)
        table = self.codevectors.view(self.groups, self.codes, -1)
        return torch.einsum("mgv,gvd->mgd", chosen.to(table.dtype), table).flatten(1), _perplexity(
            used
        )

    def _temperature(self) -> Tensor:
        self.batches += 1
        return (self.start * self.decay ** (self.batches - 1)).clamp(min=self.floor)


def _perplexity(used: Tensor) -> Tensor:
    """exp(entropy) of the mean choice in each group, summed: [M, groups, codes] -> []."""
    mean = used.sum(0) / max(len(used), 1)  # a batch without hidden frames uses no codes
    return torch.exp(-torch.xlogy(mean, mean).sum(-1)).sum()
