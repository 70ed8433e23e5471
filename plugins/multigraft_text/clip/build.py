"""Build a text tower: from scratch, from the hub, or from a folder, of which nothing is
executed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from transformers import CLIPTextModelWithProjection, SiglipTextModel

from multigraft import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import MultigraftError, WeightsError, refused_as
from multigraft.models.untrusted import budget, check_complete, check_taken, check_weights
from multigraft.system.quiet import quiet_transformers
from multigraft_text.clip.configuration import CLIP, SIGLIP, tower_config
from multigraft_text.clip.module import TextTower, clip_tower, siglip_tower
from multigraft_text.token_ids import token_ids
from multigraft_text.weights import folder_of, open_weights

CLASSES = {CLIP: CLIPTextModelWithProjection, SIGLIP: SiglipTextModel}
PROJECTION = "text_projection.weight"
LOGITS = ("logit_scale", "logit_bias")


def build(origin: Origin, spec: Spec) -> TextTower:
    """A text tower. Raises WeightsError."""
    config = tower_config(origin)
    if origin.scratch:
        return _new(config, spec)
    folder = folder_of(origin)
    check_weights(folder)
    _check_tokens(folder, config, spec)
    made: Any = CLASSES[config.model_type]
    unusable = f"{folder}: no network can be built as its config.json says"
    with refused_as(WeightsError, unusable), quiet_transformers(), budget(folder):
        made(config)
    model, loaded = open_weights(made, folder, config=config)
    missing = set(loaded["missing_keys"])
    check_complete(folder, made.__name__, missing - {PROJECTION})
    check_taken(folder, model, model.base_model_prefix, loaded["unexpected_keys"])
    return _tower(model, spec, _logits(folder), projected=PROJECTION not in missing)


def _new(config: Any, spec: Spec) -> TextTower:
    ids = token_ids(spec)
    config.vocab_size = max(ids.values()) + 1
    config.pad_token_id = spec["pad_id"]
    config.eos_token_id = ids[spec["special"]["eos_token"]]
    config.bos_token_id = ids.get(spec["special"].get("bos_token"))
    with refused_as(MultigraftError, "no text tower can be made of this size"):
        return _tower(CLASSES[config.model_type](config), spec, {}, projected=True)


def _tower(model: Any, spec: Spec, logits: dict[str, float], *, projected: bool) -> TextTower:
    if isinstance(model, SiglipTextModel):
        return siglip_tower(model, spec, logits)
    return clip_tower(model, spec, logits.get("logit_scale"), projected=projected)


def _check_tokens(folder: Path, config: Any, spec: Spec) -> None:
    most = max(token_ids(spec).values())
    if most >= config.vocab_size:
        raise WeightsError(
            f"{folder}: its tokenizer has ids up to {most}, its embeddings only "
            f"{config.vocab_size} rows; tokenizer and weights do not belong together"
        )


def _logits(folder: Path) -> dict[str, float]:
    """What makes logits of cosines, by name, where a folder holds it: that of a whole dual encoder
    does, and that of a text tower that was saved beside its image tower."""
    found: dict[str, float] = {}
    with refused_as(WeightsError, f"{folder}: its logit_scale cannot be read"):
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, framework="pt") as tensors:
                held = [name for name in LOGITS if name in tensors.keys()]  # noqa: SIM118 (no mapping)
                found |= {name: float(tensors.get_tensor(name)) for name in held}
        for file in () if found else sorted(folder.glob("pytorch_model*.bin")):
            state = torch.load(file, map_location="cpu", weights_only=True, mmap=True)
            found |= {name: float(state[name]) for name in LOGITS if name in state}
    return found
