"""Contrastive pretraining of wav2vec2 (Baevski et al. 2020): tell a hidden frame's code apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError
from multigraft_speech.masking import mask_spans, sample_negatives
from multigraft_speech.quantizer import GumbelQuantizer
from multigraft_speech.specs import frame_count
from multigraft_speech.wav2vec2 import Wav2Vec2


class ContrastiveHead(nn.Module):
    """Similarities of each hidden frame [M] with its own code, then with those of its distractors.

    ``logits`` [M, 1 + negatives], ``perplexity`` [] of the codes used in this batch. Parameters
    are named as in transformers' ``Wav2Vec2ForPreTraining``.
    """

    def __init__(self, config: Any, options: Mapping[str, Any]) -> None:
        super().__init__()
        self.temperature: float = options["temperature"]
        self.dropout_features = nn.Dropout(config.feat_quantizer_dropout)
        self.quantizer = GumbelQuantizer(
            config.conv_dim[-1],
            groups=config.num_codevector_groups,
            codes=config.num_codevectors_per_group,
            width=config.codevector_dim,
            start=options["gumbel_start"],
            floor=options["gumbel_floor"],
            decay=options["gumbel_decay"],
        )
        self.project_hid = nn.Linear(config.hidden_size, config.proj_codevector_dim)
        self.project_q = nn.Linear(config.codevector_dim, config.proj_codevector_dim)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """Only hidden frames are projected and quantised: distractors are hidden frames too."""
        if features.sequence is None:
            raise ValueError("wav2vec2-contrastive needs a backbone with a sequence")
        hidden = batch["mask_time_indices"]
        guesses = self.project_hid(features.sequence[hidden])
        targets = self.dropout_features(features.maps[0].transpose(1, 2)[hidden])
        quantised, perplexity = self.quantizer(targets)
        codes = self.project_q(quantised)
        negatives = F.embedding(_packed(hidden, batch["negatives"]), codes)
        logits = F.cosine_similarity(
            guesses.float().unsqueeze(1),
            torch.cat([codes.unsqueeze(1), negatives], 1).float(),
            dim=-1,
        )
        same = (codes.unsqueeze(1) == negatives).all(-1)
        same = torch.cat([torch.zeros_like(same[:, :1]), same], 1)
        return {
            "logits": (logits / self.temperature).masked_fill(same, -math.inf),
            "perplexity": perplexity,
        }


class Contrastive(Objective):
    """The sum of the contrastive and the diversity loss, a hidden frame, as transformers computes
    it.

    The diversity loss is of the batch and is shared out by hidden frames. A collapsed codebook
    leaves no distractor to be wrong about; such a frame counts as wrong in
    ``contrastive_accuracy``, the monitor.
    """

    monitor = "contrastive_accuracy"
    greater_is_better = True
    mixes_rows = True  # the diversity of the codes is that of a batch

    def __init__(self, brief: Brief) -> None:
        backbone = brief.backbone
        if not isinstance(backbone, Wav2Vec2) or backbone.config.model_type != "wav2vec2":
            raise MultigraftError(
                "wav2vec2-contrastive fits the wav2vec2 backbones; for logmel use "
                "masked-spectrogram"
            )
        if not hasattr(backbone.model, "masked_spec_embed"):
            raise MultigraftError(
                "wav2vec2-contrastive needs weights with a mask vector; these have none "
                "(mask_time_prob is 0)"
            )
        self.config = backbone.config
        self.options = brief.options
        self.codes: int = self.config.num_codevector_groups * self.config.num_codevectors_per_group

    def head(self) -> nn.Module:
        """Quantizer and projections, of the sizes in the weights' configuration."""
        return ContrastiveHead(self.config, self.options)

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Draw ``mask_time_indices`` [B, T] and ``negatives`` [B, T, K], in the same row."""
        lengths = frame_count(batch["attention_mask"].sum(1), self.config)
        width = frame_count(batch["input_values"].shape[1], self.config)
        share, span = self.options["mask_prob"], self.options["mask_length"]
        mask = mask_spans(lengths, width, share=share, span=span, rng=rng)
        negatives = sample_negatives(mask, self.options["negatives"], rng)
        return {**batch, "mask_time_indices": mask, "negatives": negatives}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Summed over each row's hidden frames, whose number is the weight."""
        mask = batch["mask_time_indices"]
        weight = mask.sum(1).float()
        frame = outputs["logits"].logsumexp(1) - outputs["logits"][:, 0]
        diversity = (self.codes - outputs["perplexity"]) / self.codes
        return RowLoss(
            _by_row(frame, mask) + self.options["diversity"] * diversity * weight, weight
        )

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """Loss, the number of frames told right, and the batch's code perplexity."""
        logits = outputs["logits"]
        right = (logits[:, :1] > logits[:, 1:]).all(1) & logits[:, 1:].isfinite().any(1)
        return {
            **super().measure(outputs, batch, loss),
            "right": _by_row(right.float(), batch["mask_time_indices"]),
            "perplexity": outputs["perplexity"].expand_as(loss.weight),
        }

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss a hidden frame, the share of frames told right, and code perplexity."""
        weight = max(float(kept["weight"].sum()), 1.0)
        return {
            **super().summarise(kept),
            "contrastive_accuracy": float(kept["right"].sum()) / weight,
            "code_perplexity": float(kept["perplexity"].mean()),
        }


def _packed(hidden: Tensor, negatives: Tensor) -> Tensor:
    """From places in a row [B, T, K] to places among the batch's hidden frames [M, K]."""
    order = hidden.flatten().cumsum(0).view_as(hidden) - 1
    rows = hidden.nonzero()[:, :1]
    return order[rows, negatives[hidden]]


def _by_row(values: Tensor, mask: Tensor) -> Tensor:
    """Add up what belongs to each row's hidden frames: [M], [B, T] -> [B]."""
    return values.new_zeros(len(mask)).index_add(0, mask.nonzero()[:, 0], values)
