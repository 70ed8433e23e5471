"""Both towers of a dual encoder as one model: an index beside their folders, and no second copy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from multigraft_text.clip.configuration import TOWER
from multigraft_text.saving import write_json

WEIGHTS, LOGITS = "model.safetensors", "logits.safetensors"
MODELS = {"clip": "CLIPModel", "siglip": "SiglipModel"}


def save_whole(
    folder: Path, towers: Mapping[str, Path], log_scale: float, bias: float | None
) -> None:
    """Write config.json and an index of both towers' weights, so that ``AutoModel`` opens the
    folder as ``CLIPModel`` or ``SiglipModel``.

    What makes logits of cosines lies in the text tower's folder, which thereby knows it too.
    """
    configs = {name: _json(path / "config.json") for name, path in towers.items()}
    kinds = {config["model_type"]: name for name, config in configs.items()}
    model = next(whole for whole, tower in TOWER.types.items() if tower in kinds)
    text, image = kinds[TOWER.types[model]], kinds[f"{model}_vision_model"]
    logits = {"logit_scale": torch.tensor(log_scale)}
    if model == "siglip":
        scalars = {**logits, "logit_bias": torch.tensor(bias or 0.0)}
        logits = {name: value.reshape(1) for name, value in scalars.items()}
    save_file(logits, towers[text] / LOGITS, metadata={"format": "pt"})
    places = dict.fromkeys(logits, f"{text}/{LOGITS}")
    for name, path in towers.items():
        with safe_open(path / WEIGHTS, framework="pt") as tensors:
            places |= dict.fromkeys(tensors.keys(), f"{name}/{WEIGHTS}")
    write_json(
        folder / "config.json",
        {
            "model_type": model,
            "architectures": [MODELS[model]],
            "text_config": configs[text],
            "vision_config": configs[image],
            **({"projection_dim": configs[text]["projection_dim"]} if model == "clip" else {}),
        },
    )
    write_json(folder / f"{WEIGHTS}.index.json", {"metadata": {}, "weight_map": places})
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((towers[text] / name).read_bytes())
    name = "preprocessor_config.json"
    (folder / name).write_bytes((towers[image] / name).read_bytes())


def _json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content
