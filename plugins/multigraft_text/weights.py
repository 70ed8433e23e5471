"""Find weights: a folder given, or one that the hub fills. Nothing in it is ever executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from transformers import CONFIG_MAPPING, PreTrainedConfig

from multigraft import Origin
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import check_files, harmless_config, read_config, settings_of
from multigraft.system.quiet import quiet_transformers
from multigraft_text.architectures import check_direction, direction

ENCODERS = ("bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra", "modernbert")
"""The transformers model types that ``bert`` opens."""

DECODERS = ("gpt2", "llama", "mistral", "qwen2", "qwen3")
"""The transformers model types that ``gpt`` opens."""

UNDECLARED: Mapping[str, tuple[str, ...]] = {
    "deberta-v2": (
        *("attention_head_size", "embedding_size", "position_buckets", "share_att_key"),
        *("norm_rel_ebd", "conv_act", "conv_groups", "conv_kernel_size"),
    )
}
"""Settings that a type's network reads though its configuration class does not declare them."""
SEQ2SEQ = (
    *("t5", "mt5", "umt5", "bart", "mbart", "marian", "pegasus", "m2m_100"),
    *("blenderbot", "blenderbot-small", "plbart", "mvp"),
)
"""The transformers model types that encoder-decoders open."""

SMALL_FILES = ["*.json", "*.txt", "*.model", "*.spm"]
SAFE = ["*.safetensors"]
TORCH = ["pytorch_model*.bin"]


def folder_of(origin: Origin) -> Path:
    """The folder with the weights of ``origin``, downloaded once where they are on the hub.

    Raises WeightsError, with what to do, where they are not to be had.
    """
    if origin.path is not None:
        if not (origin.path / "config.json").is_file():
            raise WeightsError(
                f"backbone.weights: {origin.path} is not a folder with a config.json; give the "
                "folder of a transformers model or of a run"
            )
        folder = origin.path
    elif origin.hub is not None:
        folder = _download(origin.hub)
    else:
        raise ValueError(f"{origin.backbone} is made from scratch; it has no folder")
    check_files(folder)
    return folder


def config_of(folder: Path, architectures: Sequence[str]) -> Any:
    """The transformers configuration in ``folder``, without what could lead out of it.

    Raises WeightsError where it is none of ``architectures``.
    """
    raw = read_config(folder)
    kind = raw.get("model_type")
    if not isinstance(kind, str) or kind not in architectures:
        raise WeightsError(
            f"{folder}: holds a {kind!r}; {_opened_by(kind)}. Allowed here: "
            f"{', '.join(sorted(architectures))}"
        )
    return _configuration(folder, raw)


def any_config(folder: Path) -> Any:
    """The same of any encoder or decoder. Raises WeightsError, with the reason, for others."""
    raw = read_config(folder)
    try:
        direction(raw.get("model_type"))
    except WeightsError as error:
        raise WeightsError(f"{folder}: {error}") from error
    config = _configuration(folder, raw)
    check_direction(config)
    return config


def open_weights(automodel: Any, folder: Path, **made: Any) -> tuple[Any, Mapping[str, Any]]:
    """A model of ``automodel``'s class with the weights in a folder, and which tensors were missing
    or left over. Raises WeightsError where they cannot be used."""
    try:
        with quiet_transformers():
            model, loaded = automodel.from_pretrained(
                folder,
                **made,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except UnpicklingError as error:
        raise WeightsError(
            f"{folder}: its weights hold more than tensors and are not opened; use a copy in "
            "safetensors"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise WeightsError(f"{folder}: its weights cannot be used: {first_line(error)}") from error
    return model, loaded


def _configuration(folder: Path, raw: dict[str, Any]) -> Any:
    kind = raw["model_type"]
    with refused_as(WeightsError, f"{folder}: its config.json cannot be used"):
        made = CONFIG_MAPPING[kind]
        own = settings_of(made, PreTrainedConfig) | {*UNDECLARED.get(kind, ())}
        return made(**harmless_config(raw, own))


def _opened_by(kind: object) -> str:
    for family, kinds in (("bert", ENCODERS), ("gpt", DECODERS), ("t5", SEQ2SEQ)):
        if kind in kinds:
            return f"a backbone of the family {family!r} opens it"
    try:
        direction(kind)
    except WeightsError as error:
        return f"no text backbone opens it: {error}"
    return "a backbone of the family 'transformers' opens it"


def _download(hub: str) -> Path:
    try:
        folder = _snapshot(hub, SMALL_FILES + SAFE)
        if not list(folder.glob("*.safetensors")):
            folder = _snapshot(hub, SMALL_FILES + TORCH)
    except LocalEntryNotFoundError as error:
        name = hub.rpartition("/")[2]
        raise WeightsError(
            f"the weights {hub!r} are not on this machine, and the hub cannot be reached. On a "
            f"machine with a network run `hf download {hub} --local-dir {name}`, copy that folder "
            "here, and set backbone.weights to it; or set backbone.weights to scratch"
        ) from error
    except HfHubHTTPError as error:
        raise WeightsError(
            f"the hub does not give the weights {hub!r}: {first_line(error)}; set backbone.weights "
            "to another name or to a folder"
        ) from error
    return folder


def _snapshot(hub: str, patterns: list[str]) -> Path:
    return Path(snapshot_download(hub, allow_patterns=patterns))


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
