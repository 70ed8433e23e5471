"""Configuration of a detector: of a size without weights, or of a folder, of which nothing is
believed but numbers and its architecture's own words."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from transformers import CONFIG_MAPPING, PreTrainedConfig

from multigraft import MultigraftError, Origin, Size
from multigraft.errors import UnknownName, WeightsError, did_you_mean, refused_as
from multigraft.models.untrusted import check_files, harmless_config, read_config, settings_of
from multigraft.system.files import expanded
from multigraft_vision.detr.architectures import ENCODERS, check_kind
from multigraft_vision.plan import fetched

FAMILY = "detr"
TINY = "-tiny"
"""The end of a type's name that asks for `SHAPE`."""
ENCODER = "backbone_config"
OUTPUTS = ("out_indices", "out_features")
"""Which stages of the convolutional network are read: settings that its class does not declare."""
SHAPE: Mapping[str, Any] = {
    "encoder_hidden_dim": 32,
    "encoder_in_channels": [32, 48, 64],
    "encoder_ffn_dim": 64,
    "encoder_attention_heads": 4,
    "d_model": 32,
    "num_queries": 20,
    "decoder_in_channels": [32, 32, 32],
    "decoder_ffn_dim": 64,
    "decoder_layers": 2,
    "decoder_attention_heads": 4,
    "num_denoising": 12,
    "depth_mult": 0.34,
    "lqe_hidden_dim": 16,
}
"""The tiny size, as far as a type has these settings: for trials, not for use."""
STAGES: Mapping[str, Mapping[str, Any]] = {
    "rt_detr_resnet": {
        "embedding_size": 16,
        "hidden_sizes": [16, 32, 48, 64],
        "depths": [1, 1, 1, 1],
        "layer_type": "basic",
        "out_indices": [2, 3, 4],
    },
    "hgnet_v2": {
        "embedding_size": 16,
        "hidden_sizes": [16, 32, 48, 64],
        "depths": [1, 1, 1, 1],
        "stem_channels": [3, 8, 16],
        "stage_in_channels": [16, 16, 32, 48],
        "stage_mid_channels": [8, 8, 16, 16],
        "stage_out_channels": [16, 32, 48, 64],
        "stage_num_blocks": [1, 1, 1, 1],
        "stage_numb_of_layers": [1, 1, 1, 1],
        "out_indices": [2, 3, 4],
    },
}
"""The same of the convolutional network."""


def find(name: str) -> Size | None:
    """The size behind ``detr/<name>``: a folder, or a run's, begins with ``/``, ``.`` or ``~``; an
    owner and a name are the hub's; a model type is made from scratch, ``<type>-tiny`` small.

    Raises UnknownName, with the reason, for a type that cannot serve.
    """
    if name.startswith(("/", ".", "~")):
        folder = expanded(name)
        return Size(path=folder / "model" if (folder / "model").is_dir() else folder)
    if "/" in name:
        return Size(hub=name) if name.count("/") == 1 else None
    kind = name.removesuffix(TINY)
    try:
        check_kind(kind)
    except WeightsError as error:
        raise UnknownName(f"unknown backbone {FAMILY + '/' + name!r}: {error}") from error
    return Size(config={"model_type": kind, **({"tiny": True} if kind != name else {})})


def folder_of(origin: Origin) -> Path:
    """The folder with the weights, fetched once where they are on the hub. Raises WeightsError."""
    if origin.path is None:
        hub = str(origin.hub)
        files = ["config.json", "preprocessor_config.json", "*.safetensors"]
        folder = Path(fetched(hub, lambda: snapshot_download(hub, allow_patterns=files)))
    else:
        folder = origin.path
    if not (folder / "config.json").is_file():
        raise WeightsError(
            f"backbone.weights: {folder} is not a folder with a config.json; give the folder of a "
            "detector of transformers, or of a run"
        )
    check_files(folder)
    return folder


def saved_config(folder: Path) -> Any:
    """transformers' configuration in a folder, without what could lead out of it. Raises
    WeightsError for another model."""
    raw = {**read_config(folder)}
    try:
        kind = check_kind(raw.get("model_type"))
    except WeightsError as error:
        raise WeightsError(f"{folder}: {error}") from error
    inner = raw.pop(ENCODER, None)
    raw = {key: value for key, value in raw.items() if "backbone" not in key or key in _own(kind)}
    with refused_as(WeightsError, f"{folder}: its config.json cannot be used"):
        chosen = {} if inner is None else {ENCODER: _inner(folder, inner)}
        return CONFIG_MAPPING[kind](**harmless_config(raw, _own(kind)), **chosen)


def new_config(origin: Origin) -> Any:
    """The configuration of a type without weights: the size, then what the recipe sets. Raises
    MultigraftError for a setting that it does not have."""
    kind = origin.config.get("model_type")
    if kind is None:
        raise WeightsError(
            f"{origin.backbone} names weights, which weights: scratch leaves out; for a network "
            f"without weights name its type, as {FAMILY}/rt_detr_v2"
        )
    made, asked = CONFIG_MAPPING[kind], dict(origin.config.get("config") or {})
    known = {*inspect.signature(made).parameters, *made.attribute_map}
    if strange := sorted(asked.keys() - known):
        raise MultigraftError(
            f"backbone.config: a {kind!r} has no setting {strange[0]!r}; "
            f"{did_you_mean(strange[0], known)}"
        )
    size = _tiny(kind, known) if origin.config.get("tiny") else {}
    with refused_as(MultigraftError, f"backbone.config: no {kind!r} can be made of it"):
        return made(**{**size, **asked})


def _own(kind: str) -> set[str]:
    return settings_of(CONFIG_MAPPING[kind], PreTrainedConfig)


def _inner(folder: Path, raw: Any) -> Any:
    """The configuration of the convolutional network. Raises WeightsError for another kind."""
    kind = raw.get("model_type") if isinstance(raw, dict) else None
    if kind not in ENCODERS:
        raise WeightsError(
            f"{folder}: its {ENCODER} is of the type {kind!r}; allowed: {', '.join(ENCODERS)}"
        )
    return CONFIG_MAPPING[kind](**harmless_config(raw, {*_own(kind), *OUTPUTS}))


def _tiny(kind: str, known: set[str]) -> dict[str, Any]:
    inner = ENCODERS[kind == "d_fine"]
    shape = {name: value for name, value in SHAPE.items() if name in known}
    return {**shape, ENCODER: CONFIG_MAPPING[inner](**STAGES[inner])}
