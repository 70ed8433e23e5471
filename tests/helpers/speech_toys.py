from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import multigraft_speech as speech
from multigraft import Brief, Origin
from multigraft.contracts.readers import collate
from multigraft.contracts.records import Backbone
from multigraft.contracts.types import Spec
from multigraft_speech.reader import AudioReader
from multigraft_speech.readers import reader_of
from multigraft_speech.whisper.reader import LogMelReader

LENGTHS = (16_000, 9_000, 3_456)


@dataclass(frozen=True)
class Grown:
    """A tiny backbone from scratch with its reader."""

    family: Backbone
    spec: Spec
    reader: AudioReader | LogMelReader
    module: Any

    def batch(self, sounds: Sequence[np.ndarray]) -> dict[str, Tensor]:
        return tensors(collate([self.reader.read(sound) for sound in sounds], self.reader.fills))

    def brief(self, task: str, **options: Any) -> Brief:
        found = next(record for record in speech.register_tasks() if record.name == task)
        filled = {name: option.default for name, option in found.options.items()} | options
        return Brief(
            backbone=self.module, reader=self.reader, targets={}, options=filled, modality="audio"
        )


def tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def sounds(lengths: Sequence[int] = LENGTHS) -> list[np.ndarray]:
    """Tones in noise, off centre, so that normalising shows."""
    rng = np.random.default_rng(1)
    return [
        (
            0.1
            + 0.3 * np.sin(np.arange(n) * rng.uniform(0.05, 0.5))
            + 0.05 * rng.standard_normal(n)
        ).astype(np.float32)
        for n in lengths
    ]


def origin(
    family: Backbone, *, path: Path | None = None, hub: str | None = None, **config: Any
) -> Origin:
    size = "tiny" if family.trial is None else family.trial.size
    return Origin(
        backbone=f"{family.name}-{size}",
        size=size,
        config={**family.sizes[size].config, **config},
        path=path,
        hub=hub,
    )


def grow(where: Origin) -> Grown:
    """Build what ``where`` names; from scratch, weights that start at zero are stirred so that they
    count."""
    families = speech.register_backbones()
    family = next(record for record in families if where.backbone.startswith(record.name))
    spec = family.reader(where, {})
    torch.manual_seed(0)
    module = family.build(where, spec).eval()
    if where.scratch:
        stir(module)
    return Grown(family, spec, reader_of(spec), module)


KINDS = {
    "wav2vec2": origin(speech.WAV2VEC2),
    "wav2vec2-group": origin(
        speech.WAV2VEC2, feat_extract_norm="group", do_stable_layer_norm=False
    ),
    "hubert": origin(speech.HUBERT),
    "logmel": origin(speech.LOGMEL),
}


def stir(module: nn.Module) -> None:
    with torch.no_grad():
        for weight in module.parameters():
            weight.add_(0.05 * torch.randn_like(weight))
