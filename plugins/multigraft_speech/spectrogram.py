"""Masked spectrogram modelling: hide spans of a log-mel spectrogram and predict them."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.objectives import Brief, Objective, Outputs, RowLoss
from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError
from multigraft_speech.logmel import STRIDE, LogMelEncoder
from multigraft_speech.masking import mask_spans


class Predictor(nn.Module):
    """Predict a frame's part of the spectrogram: ``prediction`` [B, mels, frames]."""

    def __init__(self, width: int, mels: int) -> None:
        super().__init__()
        self.mels = mels
        self.layers = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, mels * STRIDE)
        )

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """Also pass on the whole ``spectrogram``, of the same shape, for the loss."""
        del batch
        if features.sequence is None:
            raise ValueError("masked-spectrogram needs a backbone with a sequence")
        spectrogram = features.maps[0]
        frames = self.layers(features.sequence).unflatten(2, (STRIDE, self.mels)).flatten(1, 2)
        return {
            "prediction": frames.transpose(1, 2)[:, :, : spectrogram.shape[2]],
            "spectrogram": spectrogram,
        }


class MaskedSpectrogram(Objective):
    """Mean squared error of the normalised spectrogram at hidden frames (the mean: about 1)."""

    monitor = "loss"
    greater_is_better = False

    def __init__(self, brief: Brief) -> None:
        if not isinstance(brief.backbone, LogMelEncoder):
            raise MultigraftError(
                "masked-spectrogram fits the logmel backbones; for wav2vec2 use "
                "wav2vec2-contrastive"
            )
        self.backbone = brief.backbone
        self.share: float = brief.options["mask_prob"]
        self.span: int = brief.options["mask_length"]

    def head(self) -> nn.Module:
        """A two-layer perceptron on each frame."""
        return Predictor(self.backbone.width, self.backbone.layout.mels)

    def prepare(self, batch: Arrays, rng: np.random.Generator) -> Arrays:
        """Draw ``mask_frames`` [B, frames] bool from each row's true length."""
        frontend = self.backbone.frontend
        width = frontend.frame_count(batch["input_values"].shape[1])
        lengths = frontend.frame_count(batch["attention_mask"].sum(1))
        return {
            **batch,
            "mask_frames": mask_spans(lengths, width, share=self.share, span=self.span, rng=rng),
        }

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Squared errors [B], mean over mels, sum over hidden frames (their weight)."""
        error = (outputs["prediction"].float() - outputs["spectrogram"]).square().mean(1)
        hidden: Tensor = batch["mask_frames"].to(error.dtype)
        return RowLoss((error * hidden).sum(1), hidden.sum(1))
