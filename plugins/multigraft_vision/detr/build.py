"""Build a detector: from scratch, from the hub, or from a folder, of which nothing is executed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoModelForObjectDetection

from multigraft import MultigraftError, Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError, refused_as
from multigraft.models.untrusted import budget, check_complete, check_taken, check_weights
from multigraft.system.quiet import quiet_transformers
from multigraft_vision.detr.configuration import folder_of, new_config, saved_config
from multigraft_vision.detr.module import Detector
from multigraft_vision.detr.preprocessing import preprocessing_of

T = TypeVar("T")


def build(origin: Origin, spec: Spec) -> Detector:
    """A detector of the reader's size. Raises WeightsError, MultigraftError for a size that its
    encoder cannot join."""
    model = _new(origin) if origin.scratch else _load(origin)
    _check_size(origin, model.config, spec)
    return Detector(model, spec, preprocessing_of(origin))


def _new(origin: Origin) -> Any:
    """Without weights.

    Convolutions begin as those of a ResNet do and normalisations at 1. transformers begins them
    near 0, for weights to be loaded over, and then nothing comes through at first.
    """
    config = new_config(origin)
    with refused_as(MultigraftError, f"{origin.backbone}: no network can be made of it"):
        model = AutoModelForObjectDetection.from_config(config, trust_remote_code=False)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
        elif isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return model


def _load(origin: Origin) -> Any:
    folder = folder_of(origin)
    config = saved_config(folder)
    if origin.config.get("config") and not origin.own:
        raise MultigraftError(
            "backbone.config: applies to a network without weights; these weights say themselves "
            "what they are of"
        )
    check_weights(folder)
    unusable = f"{folder}: no network can be built as its config.json says"
    with refused_as(WeightsError, unusable), budget(folder):
        AutoModelForObjectDetection.from_config(config, trust_remote_code=False)
    model, info = _opened(
        folder,
        lambda: AutoModelForObjectDetection.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        ),
    )
    check_complete(folder, config.model_type, info["missing_keys"])
    check_taken(folder, model, "", info["unexpected_keys"])
    return model


def _opened(folder: Path, load: Callable[[], T]) -> T:
    """What ``load`` gives; what transformers raises becomes a WeightsError."""
    try:
        with quiet_transformers():
            return load()
    except (OSError, RuntimeError, ValueError, SafetensorError, UnpicklingError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{folder}: its weights cannot be used: {reason}") from error


def _check_size(origin: Origin, config: Any, spec: Spec) -> None:
    coarsest = max(config.feat_strides)
    height, width = spec["size"]
    if height % coarsest or width % coarsest:
        near = [-(-side // coarsest) * coarsest for side in (height, width)]
        raise MultigraftError(
            f"reader.size: {origin.backbone} joins maps at strides up to {coarsest}, and "
            f"{height} x {width} is no multiple of it; set reader.size to {near}"
        )
    cells = sum((height // stride) * (width // stride) for stride in config.feat_strides)
    if cells < config.num_queries:
        raise MultigraftError(
            f"reader.size: {height} x {width} has {cells} cells, fewer than the "
            f"{config.num_queries} queries of {origin.backbone}; set a larger reader.size"
        )
