"""A small convolutional encoder of log-mel spectrograms, quick enough to pretrain on a laptop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features, mean_pool
from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft.models.untrusted import budget
from multigraft_speech.frontend import LogMel
from multigraft_speech.layout import Layout, dump_config, load_layout, weights_folder
from multigraft_speech.spec_augment import hide_spectrogram

STRIDE = 2
"""Spectrogram frames (10 ms) in one frame of features."""
KERNEL = 5


class LogMelEncoder(nn.Module):
    """``input_values`` [B, samples] and ``attention_mask`` -> one frame of features for each 20 ms.

    `Features.maps` holds the normalised spectrogram [B, mels, frames] and the features [B, D, T].
    ``mask_frames`` [B, frames] bool in a batch sets those frames of the encoder's input (not of the
    map) to their mean, 0; without it, ``spec_augment`` hides a share of frames and bands in
    training.
    """

    head_bias = True

    def __init__(self, layout: Layout, *, spec_augment: float = 0.0) -> None:
        super().__init__()
        self.layout = layout
        self.spec_augment = spec_augment
        self.width = layout.width
        self.hop = STRIDE * layout.hop
        self.field = layout.window
        self.frontend = LogMel(layout)
        self.stem = nn.Conv1d(layout.mels, layout.width, KERNEL, stride=STRIDE, padding=KERNEL // 2)
        self.stages = nn.ModuleList(
            Block(layout.width, 2 ** (i % 4), layout.dropout) for i in range(layout.depth)
        )
        self.norm = nn.LayerNorm(layout.width)
        self.blocks: Sequence[nn.Module] = [self.stem, *self.stages]

    def forward(self, batch: Batch) -> Features:
        """Compute frames and their mean."""
        spectrogram, frames = self.frontend(batch["input_values"], batch["attention_mask"].sum(1))
        mask = frames[:, ::STRIDE]
        hidden = self.stem(self._hide(spectrogram, batch.get("mask_frames")))
        real = mask.unsqueeze(1).to(hidden.dtype)
        for stage in self.stages:
            hidden = stage(hidden, real)
        sequence = self.norm(hidden.transpose(1, 2))
        return Features(
            mean_pool(sequence, mask), sequence, mask, (spectrogram, sequence.transpose(1, 2))
        )

    def _hide(self, spectrogram: Tensor, mask: Tensor | None) -> Tensor:
        if mask is not None:
            return spectrogram.masked_fill(mask.unsqueeze(1), 0)
        if self.training and self.spec_augment > 0:
            return hide_spectrogram(spectrogram, self.spec_augment)
        return spectrogram

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write config.json and model.safetensors, a head as ``head.weight``, ``head.bias``.

        No other library has a class for this encoder; the names of the tensors are this module's.
        """
        state = self.state_dict()
        if head is not None:
            state |= {f"head.{name}": value for name, value in head.state_dict().items()}
        save_file(
            {name: value.contiguous() for name, value in state.items()},
            folder / "model.safetensors",
        )
        config = dump_config(self.layout, tuple(labels) if head is not None else ())
        (folder / "config.json").write_text(config, encoding="utf-8")


class Block(nn.Module):
    """Residual block: norm, dilated convolution over time, ReLU, pointwise convolution."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.spread = nn.Conv1d(
            width, width, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation
        )
        self.mix = nn.Conv1d(width, width, 1)
        self.dropout = nn.Dropout(dropout)
        nn.init.zeros_(self.mix.weight)
        nn.init.zeros_(self.mix.bias)

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """[B, D, T], real frames as 1 [B, 1, T] -> [B, D, T]; padding never reaches them."""
        change = self.norm(hidden.transpose(1, 2)).transpose(1, 2) * real
        return hidden + self.dropout(self.mix(self.spread(change).relu()))


def build(origin: Origin, spec: Spec) -> LogMelEncoder:
    """An encoder from a folder of ours, or from scratch."""
    layout = replace(load_layout(origin), sample_rate=spec["sample_rate"])
    if not origin.scratch:
        with budget(weights_folder(origin), device="cpu"):  # torchaudio's filters need numbers
            LogMelEncoder(layout)
    encoder = LogMelEncoder(layout, spec_augment=origin.config.get("spec_augment", 0.0))
    if not origin.scratch:
        _load(encoder, weights_folder(origin) / "model.safetensors")
    return encoder


def _load(encoder: LogMelEncoder, file: Path) -> None:
    try:
        state = {
            name: value for name, value in load_file(file).items() if not name.startswith("head.")
        }
        encoder.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise WeightsError(
            f"{file} cannot be read as a log-mel encoder: {str(error).splitlines()[0]}"
        ) from error
