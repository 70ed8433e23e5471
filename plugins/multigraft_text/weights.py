"""Where weights lie: a folder given, or one that the hub fills. Nothing in it is ever executed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
from transformers import AutoConfig

from multigraft import Origin
from multigraft.errors import WeightsError

ENCODERS = ("bert", "roberta", "xlm-roberta", "camembert", "distilbert", "electra", "modernbert")
"""The transformers model types that ``bert`` opens."""

DECODERS = ("gpt2", "llama", "mistral", "qwen2", "qwen3")
"""The transformers model types that ``gpt`` opens."""

SMALL_FILES = ["*.json", "*.txt", "*.model"]
SAFE = ["*.safetensors"]
TORCH = ["pytorch_model*.bin"]


def folder_of(origin: Origin) -> Path:
    """The folder with the weights of ``origin``, downloaded once where they are on the hub.

    Raises WeightsError, with what to do, where they are not to be had.
    """
    if origin.path is not None:
        if not (origin.path / "config.json").is_file():
            raise WeightsError(
                f"backbone.weights: {origin.path} is not a folder with a config.json; "
                "give the folder of a transformers model or of a run"
            )
        return origin.path
    if origin.hub is None:
        raise ValueError(f"{origin.backbone} is made from scratch; it has no folder")
    return _download(origin.hub)


def config_of(folder: Path, architectures: Sequence[str]) -> Any:
    """The transformers configuration in ``folder``; WeightsError where it is none of ``architectures``."""
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{folder}: its config.json cannot be used: {first_line(error)}") from error
    kind = config.model_type
    if kind not in architectures:
        other = "bert" if kind in ENCODERS else "gpt" if kind in DECODERS else None
        hint = f"a backbone of the family {other!r} opens it" if other else "no text backbone opens it"
        raise WeightsError(
            f"{folder}: holds a {kind!r}; {hint}. Allowed here: {', '.join(sorted(architectures))}"
        )
    return config


def _download(hub: str) -> Path:
    try:
        folder = _snapshot(hub, SMALL_FILES + SAFE)
        if not list(folder.glob("*.safetensors")):
            folder = _snapshot(hub, SMALL_FILES + TORCH)
    except LocalEntryNotFoundError as error:
        name = hub.rpartition("/")[2]
        raise WeightsError(
            f"the weights {hub!r} are not on this machine, and the hub cannot be reached. On a machine "
            f"with a network run `hf download {hub} --local-dir {name}`, copy that folder here, and set "
            "backbone.weights to it; or set backbone.weights to scratch"
        ) from error
    except HfHubHTTPError as error:
        raise WeightsError(
            f"the hub does not give the weights {hub!r}: {first_line(error)}; "
            "set backbone.weights to another name or to a folder"
        ) from error
    return folder


def _snapshot(hub: str, patterns: list[str]) -> Path:
    return Path(snapshot_download(hub, allow_patterns=patterns))


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
