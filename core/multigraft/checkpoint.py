"""Checkpoints: all that the next step needs, in safetensors and JSON, whole or not there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, load_model, save_file, save_model
from torch import Tensor, nn

from multigraft.errors import RunError
from multigraft.files import whole_folder

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
BEST = "best"


@dataclass
class Progress:
    """Where a training is. The rest (rates, batches, dropout) follows from the seed and ``step``."""

    step: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    """One entry a finished epoch: ``epoch``, ``step`` and the validation's ``metrics``."""
    best: float | None = None
    """The best value of the objective's metric so far."""
    best_step: int = 0
    loss_sum: float = 0.0
    """Of the steps since the last line in metrics.jsonl."""
    loss_count: int = 0
    seconds: float = 0.0
    """Time spent in training, interruptions left out."""
    waited: float = 0.0
    """Of these, spent waiting for data."""
    rows: int = 0
    """Rows trained on, each as often as it was used."""
    stop: str | None = None
    """Why training ended before its last step."""


def save(
    folder: Path, graft: nn.Module, optimizer: torch.optim.Optimizer, names: Sequence[str], progress: Progress
) -> Path:
    """Write ``folder/step-N``; ``names`` are the optimizer's parameters in order."""
    path = folder / f"step-{progress.step:08d}"
    with whole_folder(path) as beside:
        save_model(graft, str(beside / MODEL))
        save_file(_flatten(optimizer, names), beside / OPTIMIZER)
        (beside / STATE).write_text(json.dumps(asdict(progress)), encoding="utf-8")
    return path


def load(path: Path, graft: nn.Module, optimizer: torch.optim.Optimizer, names: Sequence[str]) -> Progress:
    """Restore graft and optimizer in place. Raises RunError where they do not fit."""
    try:
        load_model(graft, str(path / MODEL), strict=True)
        _restore(optimizer, names, load_file(path / OPTIMIZER))
        return Progress(**json.loads((path / STATE).read_text(encoding="utf-8")))
    except (RuntimeError, OSError, ValueError, TypeError, KeyError) as error:
        raise RunError(f"{path}: this checkpoint does not fit the run: {error}") from error


def latest(folder: Path) -> Path | None:
    """The newest complete checkpoint."""
    found = _all(folder)
    return found[-1] if found else None


def prune(folder: Path, keep: int) -> None:
    """Remove all but the ``keep`` newest checkpoints; the best model is not among them."""
    for path in _all(folder)[:-keep]:
        shutil.rmtree(path)


def save_best(folder: Path, graft: nn.Module) -> None:
    """Keep the graft's weights as the best so far."""
    with whole_folder(folder / BEST) as beside:
        save_model(graft, str(beside / MODEL))


def load_best(folder: Path, graft: nn.Module) -> bool:
    """Restore the best weights in place; False where none were kept."""
    path = folder / BEST / MODEL
    if not path.exists():
        return False
    load_model(graft, str(path), strict=True)
    return True


def _all(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("step-*") if (path / STATE).exists())


def _flatten(optimizer: torch.optim.Optimizer, names: Sequence[str]) -> dict[str, Tensor]:
    """The optimizer's tensors as ``{"parameter name:exp_avg": tensor}``."""
    state = optimizer.state_dict()["state"]
    return {
        f"{names[index]}:{key}": torch.as_tensor(value).contiguous()
        for index, values in state.items()
        for key, value in values.items()
        if value is not None
    }


def _restore(optimizer: torch.optim.Optimizer, names: Sequence[str], tensors: Mapping[str, Tensor]) -> None:
    index = {name: position for position, name in enumerate(names)}
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, part = key.rpartition(":")
        state.setdefault(index[name], {})[part] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    for parameter, values in optimizer.state.items():
        for part, value in values.items():
            if value.shape == parameter.shape:
                # fused kernels walk memory in order, so a moment must lie as its weight does (channels-last)
                values[part] = torch.empty_like(parameter, requires_grad=False).copy_(value)
