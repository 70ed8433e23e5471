"""Mel-frequency cepstral coefficients with their first and second differences, a frame for each of
a backbone's."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torchaudio.functional import compute_deltas, create_dct, melscale_fbanks

from multigraft.contracts.features import Batch

KEPT, MELS = 13, 40
"""Coefficients of a frame, and the mel bands they are of."""
QUIETEST = 1e-10


class Cepstra(nn.Module):
    """``input_values`` [B, samples] -> [B, T, 39], as the first round of HuBERT clusters them.

    Frame i sees the samples from i * ``hop`` on, ``field`` of them, as the backbone's frame i does.
    """

    def __init__(self, rate: int, *, hop: int, field: int) -> None:
        super().__init__()
        self.hop, self.field = hop, field
        # short windows of few bins hold empty filters, which are silence in every frame
        filters = melscale_fbanks(field // 2 + 1, 0.0, rate / 2, MELS, rate)
        self.register_buffer("window", torch.hann_window(field), persistent=False)
        self.register_buffer("filters", filters, persistent=False)
        self.register_buffer("cosines", create_dct(KEPT, MELS, "ortho"), persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Compute them; frames that padding reaches into are no row's."""
        frames = batch["input_values"].unfold(1, self.field, self.hop) * self.window
        power = torch.fft.rfft(frames).abs().square()
        log = (power @ self.filters).clamp(min=QUIETEST).log()
        cepstra = log @ self.cosines / math.sqrt(MELS)
        first = self._differences(cepstra, self._count(batch))
        second = self._differences(first, self._count(batch))
        return torch.cat([cepstra, first, second], dim=2)

    def _count(self, batch: Batch) -> Tensor:
        return (batch["attention_mask"].sum(1) - self.field) // self.hop + 1

    def _differences(self, values: Tensor, count: Tensor) -> Tensor:
        """Regression over five frames; behind a row its last frame goes on."""
        places = torch.arange(values.shape[1], device=values.device)
        own = places.minimum((count - 1).clamp(min=0)[:, None]).unsqueeze(-1)
        held = values.gather(1, own.expand_as(values))
        return compute_deltas(held.transpose(1, 2)).transpose(1, 2)
