"""The head of an embedding: pooled tokens, scaled to unit length."""

from __future__ import annotations

from torch import nn
from torch.nn import functional as F

from multigraft import Features, MultigraftError
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft_text.sentence_pooling import POOLINGS


class EmbeddingHead(nn.Module):
    """Pooling and L2 normalisation: ``embedding`` [B, D]. It has no parameters."""

    def __init__(self, pooling: str) -> None:
        super().__init__()
        self.pooling = pooling

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """[B, T, D] -> {"embedding": [B, D]}; zeros for a row of padding alone."""
        del batch
        if features.sequence is None or features.mask is None:
            raise MultigraftError("the backbone gives no features of tokens to be pooled")
        pooled = POOLINGS[self.pooling](features.sequence, features.mask)
        return {"embedding": F.normalize(pooled.float(), dim=-1)}
