"""Masked prediction of hidden units (Hsu et al. 2021): which cluster a hidden frame is of."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.contracts.report import Baseline
from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError
from multigraft_speech.masking import mask_spans
from multigraft_speech.specs import frame_count
from multigraft_speech.units.clusters import centroids_of
from multigraft_speech.units.features import Units, compared
from multigraft_speech.wav2vec2 import Wav2Vec2

WIDTH = 256
"""Of the space in which frames and units are compared."""
TEMPERATURE = 0.1


class UnitHead(nn.Module):
    """``logits`` [B, T, clusters], cosines with an embedding of each unit over 0.1 (equation 3),
    and the true ``units`` [B, T]."""

    def __init__(self, width: int, clusters: int, units: Units) -> None:
        super().__init__()
        self.project = nn.Linear(width, WIDTH)
        self.embeddings = nn.Parameter(torch.rand(clusters, WIDTH))
        self._units = (units,)  # in a tuple, where nn.Module looks for nothing that learns

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """Compare each frame with all units."""
        if features.sequence is None:
            raise ValueError("masked-units needs a backbone with a sequence")
        guesses = F.normalize(self.project(features.sequence).float(), dim=-1)
        logits = guesses @ F.normalize(self.embeddings.float(), dim=-1).T / TEMPERATURE
        (units,) = self._units
        return {"logits": logits, "units": units.to(logits.device)(batch)}


class MaskedUnits(Objective):
    """Cross-entropy of the units at hidden frames, whose number is a row's weight.

    The units are clusters of what the sound itself gives, never of what is hidden from the network;
    they are the same in every epoch.
    """

    monitor = "unit_accuracy"
    greater_is_better = True

    def __init__(self, brief: Brief) -> None:
        backbone = brief.backbone
        if not isinstance(backbone, Wav2Vec2):
            raise MultigraftError(
                "masked-units fits the hubert and wav2vec2 backbones; for logmel use "
                "masked-spectrogram"
            )
        if not hasattr(backbone.model, "masked_spec_embed"):
            raise MultigraftError(
                "masked-units needs weights with a mask vector; these have none (mask_time_prob is "
                "0)"
            )
        self.backbone = backbone
        self.options = brief.options
        self.clusters: int = brief.options["clusters"]
        self.targets = brief.targets
        self.rate = int(brief.reader.spec()["sample_rate"])

    def head(self) -> nn.Module:
        """A projection, an embedding of each unit, and beside them what tells the true ones."""
        features = compared(self.targets, self.backbone, self.rate)
        centroids = torch.from_numpy(centroids_of(self.targets, self.clusters).copy())
        return UnitHead(self.backbone.width, self.clusters, Units(features, centroids))

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Draw ``mask_time_indices`` [B, T] from each row's true length."""
        lengths = frame_count(batch["attention_mask"].sum(1), self.backbone.config)
        width = frame_count(batch["input_values"].shape[1], self.backbone.config)
        share, span = self.options["mask_prob"], self.options["mask_length"]
        mask = mask_spans(lengths, width, share=share, span=span, rng=rng)
        return {**batch, "mask_time_indices": mask}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Summed over each row's hidden frames."""
        logits, units = outputs["logits"], outputs["units"]
        each = F.cross_entropy(logits.transpose(1, 2), units, reduction="none")
        hidden = batch["mask_time_indices"].to(each.dtype)
        return RowLoss((each * hidden).sum(1), hidden.sum(1))

    def measure(self, outputs: Outputs, batch: Batch, loss: RowLoss) -> dict[str, Tensor]:
        """The loss, how many hidden frames were told right, and how often each unit is hidden."""
        units, hidden = outputs["units"], batch["mask_time_indices"].bool()
        right = (outputs["logits"].argmax(-1) == units) & hidden
        counts = torch.zeros(len(units), self.clusters, device=units.device)
        counts.scatter_add_(1, units, hidden.to(counts.dtype))
        kept = super().measure(outputs, batch, loss)
        return {**kept, "right": right.sum(1).float(), "counts": counts}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        """Loss a hidden frame, and the share of them told right."""
        weight = max(float(kept["weight"].sum()), 1.0)
        return {**super().summarise(kept), "unit_accuracy": float(kept["right"].sum()) / weight}

    def baseline(self, kept: Mapping[str, np.ndarray]) -> Baseline:
        """The unit that is hidden most often."""
        counts = kept["counts"].sum(0)
        share = float(counts.max() / max(counts.sum(), 1.0))
        return Baseline("unit_accuracy", share, f"always answering unit {int(counts.argmax())}")
