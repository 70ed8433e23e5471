"""Losses of embeddings of pairs with scores, by their cosines."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def cosine_loss(cosines: Tensor, wanted: Tensor, *, temperature: float) -> Tensor:
    """Squared error of each cosine: [B], [B] -> [B]."""
    del temperature
    return (cosines - wanted) ** 2


def cosent_loss(cosines: Tensor, wanted: Tensor, *, temperature: float) -> Tensor:
    """CoSENT (Su 2022): log(1 + sum of exp((cosine_j - cosine_i) / temperature) over the pairs of
    rows of which i is wanted to be the more alike): [B], [B] -> [B], the batch's in every row."""
    scaled = cosines / temperature
    gaps = scaled[None, :] - scaled[:, None]
    ordered = wanted[:, None] > wanted[None, :]
    every = torch.cat([gaps.new_zeros(1), gaps.masked_fill(~ordered, float("-inf")).flatten()])
    return every.logsumexp(0).expand(len(cosines))


SCORE_LOSSES: Mapping[str, Callable[..., Tensor]] = {"cosine": cosine_loss, "cosent": cosent_loss}
"""For pairs with scores."""
