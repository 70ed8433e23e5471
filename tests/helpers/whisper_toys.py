"""Whisper in little: two seconds at a time, tokens are bytes."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multigraft import Brief, Origin
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Spec
from multigraft_speech import RECOGNITION, WHISPER
from multigraft_speech.whisper.reader import LogMelReader, log_mel_reader

LENGTHS = (32_000, 9_000, 3_456)
LANGUAGES = ("en", "pt", "de")
HOLDS = 64
"""Tokens, where many windows are written."""


@dataclass(frozen=True)
class Grown:
    """A backbone with its reader."""

    spec: Spec
    reader: LogMelReader
    module: Any

    def batch(self, sounds: Sequence[np.ndarray]) -> dict[str, Tensor]:
        rows = [self.reader.read(sound) for sound in sounds]
        return {k: torch.from_numpy(v) for k, v in collate(rows, self.reader.fills).items()}

    def brief(self, **options: Any) -> Brief:
        filled = {name: option.default for name, option in RECOGNITION.options.items()} | options
        targets = {"vocabulary": ["", "a", "b"], "blank": 0}
        return Brief(
            backbone=self.module,
            reader=self.reader,
            targets=targets,
            options=filled,
            modality="audio",
        )


def origin(*, path: Path | None = None, **config: Any) -> Origin:
    shape = {**WHISPER.sizes["micro"].config, **config}
    return Origin(backbone="whisper-micro", size="micro", config=shape, path=path)


def grow(where: Origin) -> Grown:
    spec = WHISPER.reader(where, {})
    torch.manual_seed(0)
    module = WHISPER.build(where, spec).eval()
    if where.scratch:
        stir(module)
    return Grown(spec, log_mel_reader(spec), module)


def stir(module: nn.Module) -> None:
    """Weights of which choices follow that are far apart."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            noise = torch.randn_like(parameter)
            parameter.copy_(0.3 * noise if parameter.dim() > 1 else parameter + 0.1 * noise)


def sounds(lengths: Sequence[int] = LENGTHS) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [
        (0.3 * np.sin(np.arange(n) * rng.uniform(0.05, 0.5)) + 0.05 * rng.standard_normal(n))
        .astype(np.float32)
        for n in lengths
    ]  # fmt: skip


def without_times(grown: Grown, folder: Path) -> Path:
    """Weights as transformers saves them; times, which random weights would write, are suppressed:
    transformers cuts its text there."""
    model = grown.module.model
    settings = copy.deepcopy(model.generation_config)
    times = range(settings.no_timestamps_token_id + 1, model.config.vocab_size)
    grown.module.save(folder, head=None, labels=())
    settings.suppress_tokens = [*settings.suppress_tokens, *times]
    settings.save_pretrained(folder)
    return folder


def several_languages(folder: Path, *, times: bool = False) -> Path:
    """The same, which know three languages and two tasks, and where wanted tell times."""
    grown = grow(origin(max_target_positions=HOLDS) if times else origin())
    if times:
        grown.module.save(folder, head=None, labels=())
    else:
        without_times(grown, folder)
    config = json.loads((folder / "config.json").read_text())
    settings = json.loads((folder / "generation_config.json").read_text())
    first = config["vocab_size"] - 20  # times that nobody tells in a second and a half
    named = {
        "is_multilingual": True,
        "lang_to_id": {f"<|{code}|>": first + place for place, code in enumerate(LANGUAGES)},
        "task_to_id": {"transcribe": first + 3, "translate": first + 4},
    }
    (folder / "generation_config.json").write_text(json.dumps({**settings, **named}))
    return folder
