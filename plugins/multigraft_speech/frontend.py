"""The log-mel spectrogram as a torch module, so that it ends inside the ONNX graph."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.functional import melscale_fbanks

from multigraft_speech.layout import Layout

QUIETEST = 1e-10
DYNAMIC_RANGE = 8 * math.log(10)
"""What lies 80 dB under a sound's loudest point is silence, whether a room's or a computer's."""


class LogMel(nn.Module):
    """The log of `torchaudio.transforms.MelSpectrogram` (slaney's scale and norm,
    ``center=False``).

    The Fourier transform is a convolution with windowed cosines and sines, which ONNX runtimes
    compute far faster than their own STFT. It stays in float32 under autocast, and out of int8: its
    range is too wide.
    """

    def __init__(self, layout: Layout) -> None:
        super().__init__()
        self.hop = layout.hop
        self.window = layout.window
        bins = self.window // 2 + 1
        self.register_buffer("fourier", _fourier(self.window), persistent=False)
        mels = melscale_fbanks(
            bins,
            0.0,
            layout.sample_rate / 2,
            layout.mels,
            layout.sample_rate,
            norm="slaney",
            mel_scale="slaney",
        )
        self.register_buffer("mels", mels.T.contiguous(), persistent=False)

    def forward(self, values: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """[B, samples], true samples [B] -> normalised log-mel [B, mels, frames], real frames [B,
        frames].

        Each sound's spectrogram has mean 0 and variance 1 over its real frames, and is 0 elsewhere.
        """
        with full_precision(values.device.type):
            log = self.power(values).clamp(min=QUIETEST).log()
        mask = torch.arange(log.shape[-1], device=log.device) < self.frame_count(lengths)[:, None]
        return _normalise(log, mask), mask

    def frame_count(self, lengths: Any) -> Any:
        """Samples -> whole frames, for an int, a numpy array or a tensor."""
        return (lengths - self.window) // self.hop + 1

    def power(self, values: Tensor) -> Tensor:
        """[B, samples] -> mel power [B, mels, frames]."""
        waves = F.conv1d(values.unsqueeze(1), self.fourier, stride=self.hop)
        cosine, sine = waves.square().chunk(2, dim=1)
        return torch.matmul(self.mels, cosine + sine)


def full_precision(device: str) -> AbstractContextManager[None]:
    """Leave autocast where it is on; where it is off, a context would only end up in an exported
    graph."""
    return (
        torch.autocast(device, enabled=False)
        if torch.is_autocast_enabled(device)
        else nullcontext()
    )


def _fourier(window: int) -> Tensor:
    """Hann-windowed cosines, then sines: [2 * bins, 1, window]."""
    time = torch.arange(window, dtype=torch.float64)
    angle = (
        2 * math.pi / window * torch.arange(window // 2 + 1, dtype=torch.float64)[:, None] * time
    )
    hann = torch.hann_window(window, dtype=torch.float64)
    return torch.cat([angle.cos() * hann, angle.sin() * hann]).float().unsqueeze(1)


def _normalise(log: Tensor, mask: Tensor) -> Tensor:
    real = mask.unsqueeze(1)
    loudest = log.masked_fill(~real, -math.inf).amax((1, 2), keepdim=True)
    log = torch.maximum(log, loudest - DYNAMIC_RANGE)
    weight = real.to(log.dtype)
    count = weight.sum((1, 2), keepdim=True) * log.shape[1]
    centred = (log - (log * weight).sum((1, 2), keepdim=True) / count) * weight
    return centred / (centred.square().sum((1, 2), keepdim=True) / count + 1e-5).sqrt()
