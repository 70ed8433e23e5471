"""Causal language modeling (Radford et al. 2018): guess each token from those before it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor, nn

from multigraft import Brief, Features, Generating, Objective, RowLoss, Writing
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.models.tasks.teacher_forcing import perplexity, share
from multigraft_text.language import (
    fitting,
    right_answers,
    token_losses,
)
from multigraft_text.scoring import causal_scorer
from multigraft_text.specs import positions
from multigraft_text.writing import CachedDecoder, cache_of, special_ids


class CausalHead(nn.Module):
    """What scores the tokens: the tied decoder alone, as in transformers' `GPT2LMHeadModel`, or an
    `OwnScorer`."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """The N tokens that another one follows -> ``logits`` [N, V] for the one that follows."""
        assert features.sequence is not None
        return {"logits": self.decoder(features.sequence[:, :-1][_followed(batch)])}


class CausalLanguageModeling(Objective):
    """Cross-entropy of each token but the first; a row weighs as many as it has of them."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief) -> None:
        self.backbone = fitting(brief, "causal-language-modeling", causal=True)
        self.packs = bool(getattr(self.backbone, "packs", False))

    def head(self) -> nn.Module:
        """The backbone's token embeddings, used once more; or transformers' own head of the type,
        as where the weights have an output matrix of their own."""
        return CausalHead(causal_scorer(self.backbone))

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Sum over a row's tokens, weighed by their number; a row of one token weighs nothing."""
        chosen = _followed(batch)
        targets = batch["input_ids"][:, 1:][chosen]
        return RowLoss(token_losses(outputs["logits"], targets, chosen), chosen.sum(1).float())

    def generating(self, head: nn.Module) -> Generating:
        """The whole model, a token after the other."""
        backbone = self.backbone
        config, spec = backbone.model.config, backbone.spec
        assert isinstance(head, CausalHead)
        return Generating(
            decoder=CachedDecoder(backbone.model.base_model, head.decoder),
            writing=Writing(
                state=cache_of(backbone.model.base_model),
                vocabulary=config.vocab_size,
                max_length=positions(config),
                pad=spec["pad_id"],
                start=special_ids(spec, "bos_token"),
                stop=special_ids(spec, "eos_token"),
            ),
            feed=lambda batch: (batch["input_ids"], batch["attention_mask"]),
            outputs=lambda logits, batch: {"logits": logits[:, :-1][_followed(batch)]},
        )

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, weight, and how many tokens were guessed right."""
        chosen = _followed(batch)
        targets = batch["input_ids"][:, 1:][chosen]
        return {
            **super().measure(outputs, batch, loss),
            "right": right_answers(outputs["logits"], targets, chosen),
        }

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, perplexity (exp of the loss a token), accuracy of the next token."""
        loss = share(kept, "loss", "weight")
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "next_token_accuracy": share(kept, "right", "weight"),
        }


def _followed(batch: Batch) -> Tensor:
    """Which tokens a real one of the same row follows: [B, T - 1] bool."""
    followed = batch["attention_mask"][:, 1:].bool()
    if "segments" not in batch:
        return followed
    segments = batch["segments"]
    return followed & (segments[:, 1:] == segments[:, :-1])
