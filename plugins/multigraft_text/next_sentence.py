"""Next sentence prediction beside masked language modeling (Devlin et al. 2018, section 3.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, MultigraftError, Objective, RowError, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs, Row
from multigraft.contracts.types import Arrays
from multigraft.models.tasks.teacher_forcing import perplexity, share
from multigraft_text.language import fitting
from multigraft_text.masked import masked_head, masked_loss, masked_right
from multigraft_text.masking import Masking
from multigraft_text.sentences import pairs


class NextSentenceHead(nn.Module):
    """A linear layer on the pooled features and, if asked for, a masked language modeling head."""

    def __init__(self, backbone: Any, masked: nn.Module | None) -> None:
        super().__init__()
        self.next = nn.Linear(backbone.width, 2)
        self.masked = masked
        nn.init.normal_(self.next.weight, std=0.02)
        nn.init.zeros_(self.next.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """``next`` [B, 2] and, where wanted, ``logits`` [N, V] of the hidden tokens."""
        outputs = {"next": self.next(features.pooled)}
        return outputs if self.masked is None else {**outputs, **self.masked(features, batch)}


class NextSentencePrediction(Objective):
    """The loss of the pair plus the mean loss of its hidden tokens; every pair weighs the same."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief) -> None:
        self.backbone = fitting(brief, "next-sentence-prediction", causal=False)
        if not brief.reader.spec()["token_types"]:
            raise MultigraftError(
                "next-sentence-prediction needs a backbone that is told which sentence a token is "
                f"of, and a {self.backbone.model.config.model_type!r} is not; backbones that fit: "
                "bert-..."
            )
        self.masking = Masking.of(brief) if brief.options["masked_lm"] else None

    def head(self) -> nn.Module:
        """A new linear layer, and a masked language modeling head where it is wanted."""
        return NextSentenceHead(self.backbone, masked_head(self.backbone) if self.masking else None)

    def arrange(self, rows: Sequence[Row], rng: np.random.Generator) -> Sequence[Row]:
        """Documents -> pairs of sentences."""
        return pairs(rows, rng)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``next``: 0 where the second sentence follows the first, 1 where it does not."""
        if row.get("next") is None:
            raise RowError("the row is no text that could be cut into sentences")
        return {"next": np.asarray(row["next"], dtype=np.int64)}

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Hide tokens, where wanted."""
        return batch if self.masking is None else self.masking.apply(batch, rng)

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Cross-entropy of the pair, plus that of its hidden tokens on average."""
        total = F.cross_entropy(outputs["next"].float(), batch["next"], reduction="none")
        if self.masking is not None:
            masked = masked_loss(outputs["logits"], batch["labels"])
            total = total + masked.total / masked.weight.clamp(min=1)
        return RowLoss(total, torch.ones_like(total).detach())

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, whether the pair was judged right, and the sums of masked language modeling."""
        kept = {
            **super().measure(outputs, batch, loss),
            "next_right": (outputs["next"].argmax(-1) == batch["next"]).float(),
        }
        if self.masking is not None:
            masked = masked_loss(outputs["logits"], batch["labels"])
            kept["masked_loss"], kept["masked_weight"] = masked.total.detach(), masked.weight
            kept["masked_right"] = masked_right(outputs["logits"], batch["labels"])
        return kept

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss and accuracy of the pairs; loss, perplexity and accuracy of the hidden tokens."""
        metrics = {
            "loss": share(kept, "loss", "weight"),
            "next_accuracy": share(kept, "next_right", "weight"),
        }
        if self.masking is None:
            return metrics
        masked = share(kept, "masked_loss", "masked_weight")
        return {
            **metrics,
            "masked_loss": masked,
            "perplexity": perplexity(masked),
            "masked_accuracy": share(kept, "masked_right", "masked_weight"),
        }
