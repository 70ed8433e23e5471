"""In-batch negatives: each row's pair among those of all rows of its batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def in_batch_negatives(
    texts: Tensor,
    candidates: Tensor,
    allowed: Tensor,
    *,
    temperature: float | Tensor,
    symmetric: bool,
) -> Tensor:
    """InfoNCE (van den Oord et al. 2018), also called multiple negatives ranking (Henderson et al.
    2017): [B, D], [C, D] -> [B].

    The first B candidates belong to the texts, row by row; unit vectors throughout. ``allowed``
    [B, C] tells which candidate is a negative of which text (see `negatives`). ``symmetric`` is the
    mean with the same loss the other way, of each of the B candidates among the texts.
    """
    count = len(texts)
    own = torch.arange(count, device=texts.device)
    scores = texts @ candidates.T / temperature
    kept = allowed | torch.eye(*allowed.shape, dtype=torch.bool, device=texts.device)
    masked = scores.masked_fill(~kept, float("-inf"))
    loss = F.cross_entropy(masked, own, reduction="none")
    if not symmetric:
        return loss
    back = F.cross_entropy(masked[:, :count].T, own, reduction="none")
    return (loss + back) / 2


def negatives(texts: Tensor, positives: Tensor, candidates: Tensor) -> Tensor:
    """Which candidate is a negative of which text, by numbers equal for equal texts: [B], [B], [C]
    -> bool [B, C]; the first B candidates are the positives.

    None is the text itself, or a positive of the same text in whichever row.
    """
    same_text = texts[:, None] == texts
    same_positive = positives[:, None] == candidates
    known = (same_text.float() @ same_positive.float()) > 0  # in whichever row it stands
    return ~(known | (texts[:, None] == candidates))
