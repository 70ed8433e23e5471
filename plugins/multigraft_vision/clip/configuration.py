"""Configuration of an image tower: of a size without weights, or of a folder that holds the tower
alone or the whole dual encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from transformers import CONFIG_MAPPING, PreTrainedConfig

from multigraft import Origin, Size
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import check_files, harmless_config, read_config, settings_of
from multigraft.system.files import expanded
from multigraft_vision.plan import fetched

CLIP, SIGLIP = "clip_vision_model", "siglip_vision_model"
TOWERS: Mapping[str, str] = {"clip": CLIP, "siglip": SIGLIP}
"""Model type of a dual encoder -> that of its image tower."""
OTHERS: Mapping[str, str] = {
    **dict.fromkeys(
        ("clip_text_model", "siglip_text_model"),
        "the text tower alone, which the family 'clip-text' opens",
    ),
    "siglip2": "pictures of any shape are read by it, which is not supported",
}
"""What people take for an image tower, and what it is."""
FILES = ["config.json", "preprocessor_config.json", "processor_config.json"]
WEIGHTS = (["*.safetensors", "*.safetensors.index.json"], ["pytorch_model*.bin"])
"""Safe ones, and where a model has none of those, the others, of which tensors alone are read."""


def find(name: str) -> Size | None:
    """The size behind ``clip-image/<name>``: a folder, or a run's, begins with ``/``, ``.`` or
    ``~``; an owner and a name are the hub's."""
    if name.startswith(("/", ".", "~")):
        folder = expanded(name)
        return Size(path=_of_run(folder / "model") if (folder / "model").is_dir() else folder)
    return Size(hub=name) if name.count("/") == 1 else None


def folder_of(origin: Origin) -> Path:
    """The folder with the weights, fetched once where they are on the hub. Raises WeightsError."""
    folder = _downloaded(str(origin.hub)) if origin.path is None else origin.path
    if not (folder / "config.json").is_file():
        raise WeightsError(
            f"backbone.weights: {folder} is not a folder with a config.json; give the folder of a "
            "CLIP or SigLIP of transformers, or of a run"
        )
    check_files(folder)
    return folder


def _of_run(model: Path) -> Path:
    """A run's model, or of one of several branches the first that is such a tower."""
    towers = (
        config.parent
        for config in sorted(model.glob("*/config.json"))
        if read_config(config.parent).get("model_type") in TOWERS.values()
    )
    return next(towers, model)


def tower_config(origin: Origin) -> Any:
    """The tower's configuration, without what could lead out of its folder. Raises WeightsError for
    a folder of another kind."""
    if origin.scratch:
        return _made(origin.config, origin.backbone)
    folder = folder_of(origin)
    raw = read_config(folder)
    kind = raw.get("model_type")
    if kind in TOWERS:
        raw = _inner(folder, raw)
    elif kind not in TOWERS.values():
        raise WeightsError(f"{folder}: holds {_other(kind)}; {origin.backbone!r} needs {_needed()}")
    return _made(raw, str(folder))


def _downloaded(hub: str) -> Path:
    for weights in WEIGHTS:
        patterns = FILES + weights
        folder = Path(fetched(hub, lambda: snapshot_download(hub, allow_patterns=patterns)))  # noqa: B023 (called at once)
        if any(list(folder.glob(each)) for each in weights):
            break
    return folder


def _inner(folder: Path, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The image tower's part of a dual encoder's configuration."""
    inner = raw.get("vision_config") or {}
    older = raw.get("vision_config_dict") or {}  # goes before the other, as in transformers
    if not isinstance(inner, dict) or not isinstance(older, dict):
        raise WeightsError(f"{folder}: its vision_config is no mapping of settings")
    shared = {"projection_dim": raw["projection_dim"]} if raw.get("projection_dim") else {}
    return {**inner, **older, **shared, "model_type": TOWERS[raw["model_type"]]}


def _made(raw: Mapping[str, Any], where: str) -> Any:
    kind = raw.get("model_type")
    if kind is None:
        raise WeightsError(
            f"{where} names weights, which weights: scratch leaves out; for a network without "
            "weights take clip-image-tiny or clip-image-siglip-tiny"
        )
    made = CONFIG_MAPPING[kind]
    with refused_as(WeightsError, f"{where}: no {kind!r} can be configured as it says"):
        return made(**harmless_config(raw, settings_of(made, PreTrainedConfig)))


def _other(kind: object) -> str:
    return OTHERS.get(str(kind), f"a {kind!r}")


def _needed() -> str:
    return f"a dual encoder ({', '.join(TOWERS)}) or its image tower ({', '.join(TOWERS.values())})"
