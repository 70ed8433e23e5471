"""The sigmoid loss of a dual encoder."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def pairwise_sigmoid(
    ours: Tensor, theirs: Tensor, allowed: Tensor, *, scale: Tensor, bias: Tensor
) -> Tensor:
    """SigLIP (Zhai et al. 2023, algorithm 1): [B, D], [B, D] -> [B], each row's sum over the batch.

    Whether one of ``theirs`` belongs to one of ``ours`` is a question of its own. Unit vectors, row
    by row of the same pair. ``allowed`` [B, B] tells which do not belong together; others off the
    diagonal are left out.
    """
    own = torch.eye(len(ours), dtype=torch.bool, device=ours.device)
    logits = ours @ theirs.T * scale + bias
    each = F.logsigmoid(torch.where(own, logits, -logits))
    return -each.masked_fill(~(allowed | own), 0.0).sum(1)
