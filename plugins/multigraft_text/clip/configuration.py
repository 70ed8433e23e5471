"""Configuration of a text tower: of a size without weights, or of a folder that holds the tower
alone or the whole dual encoder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import CONFIG_MAPPING, PreTrainedConfig

from multigraft import Origin, Size
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import harmless_config, read_config, settings_of
from multigraft.system.files import expanded
from multigraft_text.weights import folder_of

CLIP, SIGLIP = "clip_text_model", "siglip_text_model"
TOWERS: Mapping[str, str] = {"clip": CLIP, "siglip": SIGLIP}
"""Model type of a dual encoder -> that of its text tower."""
OTHERS: Mapping[str, str] = {
    **dict.fromkeys(
        ("clip_vision_model", "siglip_vision_model"),
        "the image tower alone, which the family 'clip-image' opens",
    ),
    "siglip2": "pictures of any shape are read by it, which is not supported",
}
"""What people take for a text tower, and what it is."""


def find(name: str) -> Size | None:
    """The size behind ``clip-text/<name>``: a folder, or a run's, begins with ``/``, ``.`` or
    ``~``; an owner and a name are the hub's."""
    if name.startswith(("/", ".", "~")):
        folder = expanded(name)
        return Size(path=_of_run(folder / "model") if (folder / "model").is_dir() else folder)
    return Size(hub=name) if name.count("/") == 1 else None


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


def _inner(folder: Path, raw: Mapping[str, Any]) -> dict[str, Any]:
    """The text tower's part of a dual encoder's configuration."""
    inner = raw.get("text_config") or {}
    older = raw.get("text_config_dict") or {}  # goes before the other, as in transformers
    if not isinstance(inner, dict) or not isinstance(older, dict):
        raise WeightsError(f"{folder}: its text_config is no mapping of settings")
    shared = {"projection_dim": raw["projection_dim"]} if raw.get("projection_dim") else {}
    return {**inner, **older, **shared, "model_type": TOWERS[raw["model_type"]]}


def _made(raw: Mapping[str, Any], where: str) -> Any:
    kind = raw.get("model_type")
    if kind is None:
        raise WeightsError(
            f"{where} names weights, which weights: scratch leaves out; for a network without "
            "weights take clip-text-tiny or clip-text-siglip-tiny"
        )
    made = CONFIG_MAPPING[kind]
    with refused_as(WeightsError, f"{where}: no {kind!r} can be configured as it says"):
        return made(**harmless_config(raw, settings_of(made, PreTrainedConfig)))


def _other(kind: object) -> str:
    return OTHERS.get(str(kind), f"a {kind!r}")


def _needed() -> str:
    return f"a dual encoder ({', '.join(TOWERS)}) or its text tower ({', '.join(TOWERS.values())})"
