"""Masked language modeling (Devlin et al. 2018): guess the tokens that were hidden."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn
from transformers import AutoModelForMaskedLM
from transformers.activations import ACT2FN

from multigraft import Brief, Features, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs
from multigraft.contracts.types import Arrays
from multigraft.models.tasks.teacher_forcing import IGNORED, perplexity, share
from multigraft.system.quiet import quiet_transformers
from multigraft_text.backbone import tail
from multigraft_text.language import (
    TiedDecoder,
    fitting,
    right_answers,
    token_losses,
)
from multigraft_text.masking import Masking
from multigraft_text.scoring import own_scorer
from multigraft_text.weights import ENCODERS, any_config


class MaskedHead(nn.Module):
    """Dense, activation, LayerNorm, and the tied decoder, as in transformers' `BertForMaskedLM`."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        config, embedding = backbone.model.config, backbone.embedding
        self.dense = nn.Linear(backbone.width, embedding.embedding_dim)
        self.activation = ACT2FN[_activation(config)]
        self.norm = nn.LayerNorm(embedding.embedding_dim, eps=_epsilon(config))
        self.decoder = TiedDecoder(embedding, bias=True)
        nn.init.normal_(self.dense.weight, std=getattr(config, "initializer_range", 0.02))
        nn.init.zeros_(self.dense.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """The N tokens with a label -> ``logits`` [N, V]; the others cost nothing."""
        assert features.sequence is not None
        hidden = features.sequence[batch["labels"] != IGNORED]
        return {"logits": self.decoder(self.norm(self.activation(self.dense(hidden))))}


class OwnMaskedHead(nn.Module):
    """Transformers' own masked language modeling head of any other type."""

    def __init__(self, scorer: nn.Module) -> None:
        super().__init__()
        self.scorer = scorer

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """As `MaskedHead` gives it."""
        assert features.sequence is not None
        return {"logits": self.scorer(features.sequence[batch["labels"] != IGNORED])}


class MaskedLanguageModeling(Objective):
    """Cross-entropy of the hidden tokens; a row weighs as many as it hides."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief) -> None:
        self.backbone = fitting(brief, "masked-language-modeling", causal=False)
        self.packs = bool(getattr(self.backbone, "packs", False))
        self.masking = Masking.of(brief)

    def head(self) -> nn.Module:
        """A head with the weights' own values, where they hold some."""
        return masked_head(self.backbone)

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Hide tokens."""
        return self.masking.apply(batch, rng)

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Sum over a row's hidden tokens, weighed by their number."""
        return masked_loss(outputs["logits"], batch["labels"])

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, weight, and how many tokens were guessed right."""
        return {
            **super().measure(outputs, batch, loss),
            "right": masked_right(outputs["logits"], batch["labels"]),
        }

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss, perplexity, accuracy on the hidden tokens."""
        loss = share(kept, "loss", "weight")
        return {
            "loss": loss,
            "perplexity": perplexity(loss),
            "masked_accuracy": share(kept, "right", "weight"),
        }


def masked_loss(logits: Tensor, labels: Tensor) -> RowLoss:
    """The loss of the tokens that have a label: logits [N, V], labels [B, T]."""
    chosen = labels != IGNORED
    return RowLoss(token_losses(logits, labels[chosen], chosen), chosen.sum(1).float())


def masked_right(logits: Tensor, labels: Tensor) -> Tensor:
    """Count each row's hidden tokens that were guessed right: [B]."""
    chosen = labels != IGNORED
    return right_answers(logits, labels[chosen], chosen)


def masked_head(backbone: Any) -> nn.Module:
    """Make a head, with the values that the backbone's weights bring, where they do."""
    if backbone.model.config.model_type not in ENCODERS:
        return OwnMaskedHead(own_scorer(backbone, AutoModelForMaskedLM))
    head = MaskedHead(backbone)
    if backbone.source is None:
        return head
    with quiet_transformers():
        model, loaded = AutoModelForMaskedLM.from_pretrained(
            backbone.source,
            config=any_config(backbone.source),
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    decoder = model.get_output_embeddings()
    outside = [(name, module) for name, module in tail(model) if module is not decoder]
    name, dense = next((name, module) for name, module in outside if isinstance(module, nn.Linear))
    if f"{name}.weight" not in loaded["missing_keys"]:
        norm = next(module for _, module in outside if isinstance(module, nn.LayerNorm))
        bias = {} if decoder.bias is None else {"bias": decoder.bias}
        for own, brought in (
            (head.dense, dense.state_dict()),
            (head.norm, norm.state_dict()),
            (head.decoder, bias),
        ):
            # an architecture without biases keeps our zeros
            own.load_state_dict(brought, strict=False)
    return head


def _activation(config: Any) -> str:
    names = ("hidden_act", "activation", "classifier_activation")
    return next(str(getattr(config, name)) for name in names if hasattr(config, name))


def _epsilon(config: Any) -> float:
    names = ("layer_norm_eps", "norm_eps")
    return next((float(getattr(config, name)) for name in names if hasattr(config, name)), 1e-12)
