"""Features of a middle layer of a model that was trained before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.records import Origin
from multigraft.errors import MultigraftError
from multigraft_speech.specs import wav2vec2_spec
from multigraft_speech.wav2vec2 import Wav2Vec2, build

RUN, MODEL = "run.json", "model"


class MiddleLayer(nn.Module):
    """A batch -> [B, T, D] behind a block of the encoder; nothing in it learns."""

    def __init__(self, teacher: Wav2Vec2, layer: int) -> None:
        super().__init__()
        self.teacher = teacher.eval().requires_grad_(False)
        self.layer = teacher.model.encoder.layers[layer - 1]

    def forward(self, batch: Batch) -> Tensor:
        """Compute it; nothing is hidden from it."""
        heard: list[Tensor] = []

        def keep(module: nn.Module, given: Any, found: Any) -> None:
            del module, given
            heard.append(found[0] if isinstance(found, tuple) else found)

        hook = self.layer.register_forward_hook(keep)
        self.teacher.eval()  # whatever mode the model around it is put into
        try:
            names = ("input_values", "attention_mask")
            self.teacher({name: batch[name] for name in names})
        finally:
            hook.remove()
        return heard[0]


def middle_layer(folder: Path, layer: int | None) -> MiddleLayer:
    """Open a folder of weights; unset, ``layer`` is the one in the middle. Raises MultigraftError,
    WeightsError."""
    origin = Origin(backbone="task.teacher", size="", path=folder)
    with torch.random.fork_rng(devices=[]):  # building must not move the run's chance
        teacher = build(origin, wav2vec2_spec(origin, {}))
    depth = len(teacher.model.encoder.layers)
    chosen = layer if layer is not None else (depth + 1) // 2
    if not 1 <= chosen <= depth:
        raise MultigraftError(f"task.layer: found {chosen}; {folder} has layers 1 to {depth}")
    return MiddleLayer(teacher, chosen)


def folder_of(weights: str) -> Path:
    """The folder with a teacher's weights: of a run its model's."""
    folder = Path(weights)
    return folder / MODEL if (folder / RUN).is_file() else folder


def same_frames(teacher: Wav2Vec2, student: Any) -> None:
    """Raise MultigraftError where their frames lie elsewhere."""
    if (teacher.hop, teacher.field) != (student.hop, student.field):
        raise MultigraftError(
            f"task.teacher: its frames see {teacher.field} samples each {teacher.hop}, those of "
            f"the backbone {student.field} each {student.hop}; choose one with the same "
            "convolutions"
        )
