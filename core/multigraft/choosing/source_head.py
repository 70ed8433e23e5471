"""Source heads: the classifier that weights were trained with, which LEEP and NCE ask."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from multigraft.runs.record import read_record
from multigraft.runs.run import HEAD, Run
from multigraft.system.resume_command import RECORD

FILE = "model.safetensors"
LINEAR = "linear"
"""What the linear layer of a head of ours is called."""
ONE_LABEL = "classification"


Layer = tuple[np.ndarray, np.ndarray]
"""Weight [classes, width] and bias [classes]."""


def source_probabilities(run: Run, features: np.ndarray) -> np.ndarray | None:
    """The probabilities [rows, classes] of what the weights classify, from features [rows, width].

    None where they bring no classifier of pooled features: a run that learned one label a row
    does, and a file of weights with the layer that `BackboneModule.classifier` names.
    """
    resolved = run.resolved
    path = None if resolved.several else resolved.branches[""].origin.path
    layer = None if path is None else _layer_in(path, run)
    if layer is None or layer[0].shape[1] != features.shape[1] or len(layer[0]) < 2:
        return None
    return _softmax(features @ layer[0].T + layer[1])


def _layer_in(path: Path, run: Run) -> Layer | None:
    if (path / HEAD).exists() and (path.parent / RECORD).exists():
        labelled = {each.name for each in run.catalog.tasks() if each.answers == ONE_LABEL}
        task = read_record(path.parent).get("task")
        return _layer(path / HEAD, LINEAR) if task in labelled else None
    named = getattr(run.graft.backbone, "classifier", None)
    file = path / FILE if path.is_dir() else path
    return _layer(file, named) if isinstance(named, str) else None  # a module may be called so


def _layer(file: Path, name: str) -> Layer | None:
    """A layer in a file of safetensors; None where it has none of that name."""
    if file.suffix != ".safetensors" or not file.is_file():
        return None
    from safetensors import safe_open

    with safe_open(file, framework="pt") as opened:
        if f"{name}.weight" not in opened.keys():  # noqa: SIM118
            return None
        weight = opened.get_tensor(f"{name}.weight").float().numpy()
        told = f"{name}.bias" in opened.keys()  # noqa: SIM118
        bias = opened.get_tensor(f"{name}.bias").float().numpy() if told else None
    flat = weight.reshape(len(weight), -1)
    return flat, np.zeros(len(flat), np.float32) if bias is None else bias


def _softmax(logits: np.ndarray) -> np.ndarray:
    shifted = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    found: np.ndarray = shifted / shifted.sum(1, keepdims=True)
    return found
