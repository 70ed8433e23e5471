"""Load weights in transformers' format from a folder or the hub; say clearly if there are none."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from multigraft.contracts.records import Origin
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import (
    CONFIG,
    budget,
    check_files,
    check_weights,
    harmless_config,
    read_config,
    settings_of,
)
from multigraft.system.quiet import quiet_transformers

KINDS = ("wav2vec2", "hubert")
"""The model types whose modules are laid out as `multigraft_speech.wav2vec2` expects."""
OPTIONS = ("model_type", "spec_augment")
CONFIGS = (
    *("config.json", "preprocessor_config.json", "processor_config.json"),
    *("generation_config.json", "tokenizer.json"),
)
T = TypeVar("T")


def source(origin: Origin) -> Path:
    """The folder to hand to transformers, fetched once where it is on the hub.

    Raises WeightsError for a path that is no folder, and for what leads out of one.
    """
    folder = _fetched(origin) if origin.path is None else origin.path
    if not folder.is_dir():
        raise WeightsError(
            f"{folder} is no folder; give the one that holds config.json and model.safetensors"
        )
    check_files(folder)
    return folder


def _fetched(origin: Origin) -> Path:
    from huggingface_hub import snapshot_download

    with _explained(origin):
        folder = Path(
            snapshot_download(str(origin.hub), allow_patterns=[*CONFIGS, "*.safetensors"])
        )
        if not list(folder.glob("*.safetensors")):
            folder = Path(
                snapshot_download(str(origin.hub), allow_patterns=[*CONFIGS, "pytorch_model*.bin"])
            )
    return folder


def load_config(
    origin: Origin, kinds: Sequence[str] = KINDS, *, options: Sequence[str] = OPTIONS
) -> Any:
    """The configuration of the weights, or of the size where none are asked for.

    ``options`` are those of the origin's configuration that are no shape.
    """
    from transformers import CONFIG_MAPPING, AutoConfig, PreTrainedConfig

    if origin.scratch:
        known = {key: value for key, value in origin.config.items() if key not in options}
        return AutoConfig.for_model(origin.config["model_type"], **known)
    folder = source(origin)
    if not (folder / CONFIG).is_file():
        raise WeightsError(f"{folder}: {_advice(origin)}")
    raw = read_config(folder)
    kind = raw.get("model_type")
    if kind not in kinds:
        raise WeightsError(
            f"{folder} holds a model of type {kind!r}; {origin.backbone!r} takes "
            f"{' and '.join(kinds)}"
        )
    with refused_as(WeightsError, f"{folder}: its config.json cannot be used"):
        made = CONFIG_MAPPING[kind]
        config = made(**harmless_config(raw, settings_of(made, PreTrainedConfig)))
    if getattr(config, "add_adapter", False):
        raise WeightsError(
            f"{folder} has convolutional adapters (add_adapter), which are not supported"
        )
    return config


def load_extractor(origin: Origin) -> Any:
    """Load the feature extractor saved with the weights, else transformers' default."""
    from transformers import Wav2Vec2FeatureExtractor

    if origin.scratch or (origin.path is not None and not has_extractor(origin.path)):
        return Wav2Vec2FeatureExtractor(return_attention_mask=True)
    return opened(origin, lambda: Wav2Vec2FeatureExtractor.from_pretrained(source(origin)))


def load_model(origin: Origin, config: Any, kind: Any) -> tuple[Any, Any]:
    """A model of transformers' class ``kind`` with the weights of a folder, in float32; beside it
    which names were missing or not expected. Raises WeightsError."""
    import torch

    folder = source(origin)

    def built() -> None:
        unusable = f"{folder}: no network can be built as its config.json says"
        with refused_as(WeightsError, unusable), budget(folder):
            kind(config)

    def loaded() -> Any:
        return kind.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )

    check_weights(folder)
    opened(origin, built)
    model, info = opened(origin, loaded)
    return model, info


def opened(origin: Origin, load: Callable[[], T]) -> T:
    """Run ``load``; what transformers raises becomes a WeightsError that says what to do."""
    with quiet_transformers(), _explained(origin):
        return load()


def has_extractor(folder: Path) -> bool:
    """Whether a folder says how its weights take sounds."""
    return any(
        (folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")
    )


@contextmanager
def _explained(origin: Origin) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{origin.path or origin.hub}: {_advice(origin)}\n  {reason}") from error


def _advice(origin: Origin) -> str:
    if origin.path is not None:
        return "these weights cannot be opened; the folder needs config.json and model.safetensors"
    return (
        "these weights are not on this machine and could not be fetched; run `hf download "
        f"{origin.hub}` where there is a network and give the folder as weights, or use weights: "
        "scratch"
    )
