"""SpecAugment (Park et al. 2019): spans of frames and bands hidden in training, by torch's
generator."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FRAMES = 20
"""Spectrogram frames (10 ms) in one hidden span."""
BANDS = 8
"""Hidden spans of mel bands that would hide all of them."""


def random_spans(hidden: Tensor, share: float, span: int) -> Tensor:
    """Hide a ``share`` of places in spans: [B, T, ...] -> [B, T] bool."""
    span = min(span, hidden.shape[1])
    # a place stays where none of the `span` starts before it was drawn
    chance = 1 - (1 - share) ** (1 / span)
    starts = (
        torch.rand(hidden.shape[0], 1, hidden.shape[1] + span - 1, device=hidden.device) < chance
    ).float()
    return F.max_pool1d(starts, span, stride=1).squeeze(1).bool()


def hide_spectrogram(spectrogram: Tensor, share: float) -> Tensor:
    """Set a ``share`` of frames, and of bands, to the mean, 0: [B, mels, T] -> [B, mels, T]."""
    frames = random_spans(spectrogram.transpose(1, 2), share, FRAMES)
    bands = random_spans(spectrogram, share, max(1, spectrogram.shape[1] // BANDS))
    return spectrogram.masked_fill(frames.unsqueeze(1) | bands.unsqueeze(2), 0)
