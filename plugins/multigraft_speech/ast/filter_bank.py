"""Kaldi's log filter bank as a torch module, so that it ends inside the ONNX graph."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchaudio.compliance.kaldi import get_mel_banks

from multigraft_speech.frontend import full_precision

RATE = 16_000
HOP = 160
"""Samples from one frame to the next: 10 ms."""
WINDOW = 400
"""Samples in one frame: 25 ms."""
FOURIER = 512
"""Samples of a frame with the zeros behind it."""
LOWEST = 20.0
"""Hertz at which the first filter begins."""
EMPHASIS = 0.97
QUIETEST = float(torch.finfo(torch.float32).eps)


class FilterBank(nn.Module):
    """`torchaudio.compliance.kaldi.fbank` with a Hann window, as `ASTFeatureExtractor` asks for it.

    All that happens to a frame before its power is taken (its mean is subtracted, its treble
    raised, its ends faded, its spectrum computed) is linear, and so one convolution.
    """

    def __init__(self, mels: int) -> None:
        super().__init__()
        self.register_buffer("kernel", _kernel(), persistent=False)
        filters, _ = get_mel_banks(mels, FOURIER, RATE, LOWEST, 0.0, 100.0, -500.0, 1.0)
        # no filter reaches the highest bin
        self.register_buffer("filters", F.pad(filters, (0, 1)).contiguous(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """[B, samples] -> [B, frames, mels]."""
        with full_precision(samples.device.type):
            waves = F.conv1d(samples.unsqueeze(1), self.kernel, stride=HOP)
            cosine, sine = waves.square().chunk(2, dim=1)
            found = torch.matmul(self.filters, cosine + sine).clamp(min=QUIETEST).log()
        return found.transpose(1, 2)


def _kernel() -> Tensor:
    """From the samples of a frame to the cosines and sines of its spectrum: [2 * bins, 1, 400]."""
    frame = torch.eye(WINDOW, dtype=torch.float64)
    frame = frame - 1 / WINDOW
    frame = frame - EMPHASIS * torch.cat([frame[:1], frame[:-1]])
    frame = frame * torch.hann_window(WINDOW, periodic=False, dtype=torch.float64)[:, None]
    bins = torch.arange(FOURIER // 2 + 1, dtype=torch.float64)
    angle = 2 * math.pi / FOURIER * bins[:, None] * torch.arange(WINDOW, dtype=torch.float64)
    return (torch.cat([angle.cos(), angle.sin()]) @ frame).float().unsqueeze(1)
