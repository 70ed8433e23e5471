"""Build an image tower: from scratch, from the hub, or from a folder, of which nothing is
executed."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import CLIPVisionModelWithProjection, SiglipVisionModel

from multigraft import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import MultigraftError, WeightsError, first_line, refused_as
from multigraft.models.untrusted import budget, check_complete, check_taken, check_weights
from multigraft.system.quiet import quiet_transformers
from multigraft_vision.clip.configuration import CLIP, SIGLIP, folder_of, tower_config
from multigraft_vision.clip.module import ImageTower, clip_space, siglip_space
from multigraft_vision.clip.preprocessing import preprocessing_of

CLASSES = {CLIP: CLIPVisionModelWithProjection, SIGLIP: SiglipVisionModel}
PROJECTION = "visual_projection.weight"


def build(origin: Origin, spec: Spec) -> ImageTower:
    """An image tower. Raises WeightsError."""
    config = tower_config(origin)
    made: Any = CLASSES[config.model_type]
    _check_supported(origin, config)
    if origin.scratch:
        with refused_as(MultigraftError, "no image tower can be made of this size"):
            return _tower(made(config), origin, spec, projected=True)
    folder = folder_of(origin)
    check_weights(folder)
    unusable = f"{folder}: no network can be built as its config.json says"
    with refused_as(WeightsError, unusable), quiet_transformers(), budget(folder):
        made(config)
    model, info = _opened(made, folder, config)
    missing = set(info["missing_keys"])
    check_complete(folder, made.__name__, missing - {PROJECTION})
    check_taken(folder, model, model.base_model_prefix, info["unexpected_keys"])
    return _tower(model, origin, spec, projected=PROJECTION not in missing)


def _tower(model: Any, origin: Origin, spec: Spec, *, projected: bool) -> ImageTower:
    said = preprocessing_of(origin)
    if isinstance(model, SiglipVisionModel):
        return ImageTower(model, spec, said, siglip_space(model))
    space = clip_space(model) if projected else None
    return ImageTower(model.vision_model, spec, said, space)


def _check_supported(origin: Origin, config: Any) -> None:
    if config.num_channels != 3 or not isinstance(config.image_size, int):
        raise WeightsError(
            f"{origin.backbone}: reads {config.num_channels} channels of {config.image_size} "
            "pixels; square RGB pictures are read here"
        )
    if not getattr(config, "vision_use_head", True):
        raise WeightsError(
            f"{origin.backbone}: is without the layer that pools (vision_use_head is false); give "
            "weights that have it"
        )


def _opened(made: Any, folder: Path, config: Any) -> tuple[Any, Any]:
    """The model, and which tensors were missing or left over."""
    try:
        with quiet_transformers():
            model, info = made.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError, SafetensorError, UnpicklingError) as error:
        raise WeightsError(f"{folder}: its weights cannot be used: {first_line(error)}") from error
    return model, info
