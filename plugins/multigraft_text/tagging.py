"""Token classification: a tag for each token, which begins a span of some type, goes on with one,
or is outside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn import functional as F

from multigraft import Brief, Features, MultigraftError, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft_text.tagged_rows import IGNORED, TaggedRows


class TaggingHead(nn.Module):
    """Dropout, one linear layer and log-softmax on each position: ``log_probabilities``."""

    def __init__(self, width: int, tags: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, tags)
        nn.init.trunc_normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """[B, T, D] -> {"log_probabilities": [B, T, tags]}."""
        if features.sequence is None:
            raise MultigraftError("the backbone gives no features of positions to be tagged")
        logits = self.linear(self.dropout(features.sequence))
        return {"log_probabilities": logits.float().log_softmax(-1)}


class TokenClassification(TaggedRows, Objective):
    """Cross-entropy of the tags of tokens, usually of each word's first one, which answers read;
    the metrics are those of the answers.

    Batches are drawn at random: in batches of like length the few tags of short rows weigh as much
    as the many of long ones.
    """

    random_batches = True
    brief: Brief

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the tags."""
        backbone: Any = self.brief.backbone
        return TaggingHead(
            backbone.width, 1 + 2 * len(self.labels), dropout=self.brief.options["dropout"]
        )

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Cross-entropy [B], summed over the real tokens; its weight is their number."""
        tags = batch["tags"]
        told = outputs["log_probabilities"].float().transpose(1, 2)
        each = F.nll_loss(told, tags, ignore_index=IGNORED, reduction="none")
        return RowLoss(each.sum(1), (tags != IGNORED).sum(1).float())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``log_probabilities`` [B, T, tags]."""
        if outputs is None:
            raise ValueError("a tagger is served with its head")
        return outputs

    def sequence_head(self, head: nn.Module) -> tuple[nn.Linear, Sequence[str]] | None:
        """The linear layer of `TaggingHead`, with the tags as BIO writes them."""
        if not isinstance(head, TaggingHead):
            return None
        begun = [f"{prefix}-{label}" for label in self.labels for prefix in "BI"]
        return head.linear, ["O", *begun]
