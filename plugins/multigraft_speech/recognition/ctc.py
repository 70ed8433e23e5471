"""Speech recognition by connectionist temporal classification (CTC, Graves et al. 2006)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft import Brief, Features, MultigraftError, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.types import Arrays
from multigraft_speech.recognition.transcribed_rows import ABSENT, Grid, TranscriptRows
from multigraft_speech.recognition.vocabulary import token_names


class RecognitionHead(nn.Module):
    """Dropout, one linear layer and log-softmax on each frame: ``log_probabilities``.

    ``times`` are the seconds in whose middle frames lie: ``first``, and one each ``step`` more.
    """

    def __init__(
        self, width: int, tokens: int, *, dropout: float, first: float, step: float
    ) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, tokens)
        self.first, self.step = first, step
        nn.init.trunc_normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """[B, T, D] -> {"log_probabilities": [B, T, tokens], "times": [B, T], -1 in padding}."""
        if features.sequence is None:
            raise MultigraftError("the backbone gives no features of frames to be recognised")
        logits = self.linear(self.dropout(features.sequence))
        return {"log_probabilities": logits.float().log_softmax(-1), "times": self._times(features)}

    def _times(self, features: Features) -> Tensor:
        mask = features.mask
        if mask is None:
            mask = torch.ones_like(features.sequence[:, :, 0], dtype=torch.bool)  # type: ignore[index]
        before = mask.long().cumsum(1) - 1
        return (self.first + self.step * before.float()).masked_fill(~mask, ABSENT)


class SpeechRecognition(TranscriptRows, Objective):
    """The CTC loss of each transcript by its length; the metrics are those of the answers."""

    brief: Brief

    def __init__(self, brief: Brief) -> None:
        backbone: Any = brief.backbone
        if not hasattr(backbone, "hop") or not hasattr(backbone, "field"):
            raise MultigraftError(
                "the backbone does not say where its frames lie (hop and field), which speech "
                "recognition needs"
            )
        super().__init__(brief)
        self.hop, self.field = int(backbone.hop), int(backbone.field)
        self.blank = int(brief.targets["blank"])

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the tokens."""
        backbone: Any = self.brief.backbone
        rate = float(self.brief.reader.spec()["sample_rate"])
        return RecognitionHead(
            backbone.width,
            len(self.vocabulary),
            dropout=self.brief.options["dropout"],
            first=self.field / 2 / rate,
            step=self.hop / rate,
        )

    def grid(self, arrays: Arrays) -> Grid:
        """The backbone's own."""
        return Grid(self.hop, self.field)

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Negative log-likelihood [B] of the transcripts, each divided by its length, as torch's
        mean has it; all weigh the same.

        It is summed on the processor: torch's sums for graphics processors have no fixed order.
        """
        tokens = batch["tokens"].cpu()
        lengths = (tokens != ABSENT).sum(1)
        each = F.ctc_loss(
            outputs["log_probabilities"].float().cpu().transpose(0, 1),
            tokens.clamp(min=0),
            (outputs["times"] != ABSENT).sum(1).cpu(),
            lengths,
            blank=self.blank,
            reduction="none",
            zero_infinity=False,
        )
        total = (each / lengths).to(outputs["log_probabilities"].device)
        return RowLoss(total, torch.ones_like(total))

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``log_probabilities`` [B, T, tokens] and ``times`` [B, T]."""
        if outputs is None:
            raise ValueError("a recogniser is served with its head")
        return outputs

    def sequence_head(self, head: nn.Module) -> tuple[nn.Linear, Sequence[str]] | None:
        """The linear layer of `RecognitionHead`, with the tokens as a ``vocab.json`` has them."""
        if not isinstance(head, RecognitionHead):
            return None
        return head.linear, token_names(self.vocabulary, self.blank)
