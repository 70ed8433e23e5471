"""Weights in transformers' format from a folder or the hub, and a clear word where there are none."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from multigraft.errors import WeightsError
from multigraft.quiet import quiet_transformers
from multigraft.records import Origin

KINDS = ("wav2vec2", "hubert")
"""The model types whose modules are laid out as `multigraft_speech.wav2vec2` expects."""
T = TypeVar("T")


def source(origin: Origin) -> str | Path:
    """The folder or hub name to hand to transformers. Raises WeightsError for a path that is no folder."""
    if origin.path is None:
        return str(origin.hub)
    if not origin.path.is_dir():
        raise WeightsError(
            f"{origin.path} is no folder; give the one that holds config.json and model.safetensors"
        )
    return origin.path


def load_config(origin: Origin) -> Any:
    """The configuration of the weights, or of the size where none are asked for."""
    from transformers import AutoConfig

    if origin.scratch:
        known = {
            key: value for key, value in origin.config.items() if key not in ("model_type", "spec_augment")
        }
        return AutoConfig.for_model(origin.config["model_type"], **known)
    config = opened(origin, lambda: AutoConfig.from_pretrained(source(origin), trust_remote_code=False))
    if config.model_type not in KINDS:
        raise WeightsError(
            f"{source(origin)} holds a model of type {config.model_type!r}; "
            f"{origin.backbone!r} takes {' and '.join(KINDS)}"
        )
    if getattr(config, "add_adapter", False):
        raise WeightsError(
            f"{source(origin)} has convolutional adapters (add_adapter), which are not supported"
        )
    return config


def load_extractor(origin: Origin) -> Any:
    """The feature extractor saved with the weights; transformers' default where a folder holds none."""
    from transformers import Wav2Vec2FeatureExtractor

    if origin.scratch or (origin.path is not None and not _has_extractor(origin.path)):
        return Wav2Vec2FeatureExtractor(return_attention_mask=True)
    return opened(origin, lambda: Wav2Vec2FeatureExtractor.from_pretrained(source(origin)))


def opened(origin: Origin, load: Callable[[], T]) -> T:
    """Run ``load``; what transformers raises becomes a WeightsError that says what to do."""
    with quiet_transformers(), _explained(origin):
        return load()


def _has_extractor(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json"))


@contextmanager
def _explained(origin: Origin) -> Iterator[None]:
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError, pickle.UnpicklingError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{source(origin)}: {_advice(origin)}\n  {reason}") from error


def _advice(origin: Origin) -> str:
    if origin.path is not None:
        return "these weights cannot be opened; the folder needs config.json and model.safetensors"
    return (
        "these weights are not on this machine and could not be fetched; run "
        f"`hf download {origin.hub}` where there is a network and give the folder as weights, "
        "or use weights: scratch"
    )
