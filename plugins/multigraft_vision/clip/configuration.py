"""Configuration of an image tower: of a size without weights, or of a folder that holds the tower
alone or the whole dual encoder."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import snapshot_download
from transformers import CONFIG_MAPPING, PreTrainedConfig

from multigraft import Origin
from multigraft.errors import WeightsError
from multigraft.models.dual_encoder import Tower
from multigraft.models.untrusted import check_files
from multigraft_vision.plan import fetched

CLIP, SIGLIP = "clip_vision_model", "siglip_vision_model"
FILES = ["config.json", "preprocessor_config.json", "processor_config.json"]
WEIGHTS = (["*.safetensors", "*.safetensors.index.json"], ["pytorch_model*.bin"])
"""Safe ones, and where a model has none of those, the others, of which tensors alone are read."""


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


def _downloaded(hub: str) -> Path:
    for weights in WEIGHTS:
        patterns = FILES + weights
        folder = Path(fetched(hub, lambda: snapshot_download(hub, allow_patterns=patterns)))  # noqa: B023 (called at once)
        if any(list(folder.glob(each)) for each in weights):
            break
    return folder


TOWER = Tower(
    what="image tower",
    section="vision_config",
    types={"clip": CLIP, "siglip": SIGLIP},
    others={
        **dict.fromkeys(
            ("clip_text_model", "siglip_text_model"),
            "the text tower alone, which the family 'clip-text' opens",
        ),
        "siglip2": "pictures of any shape are read by it, which is not supported",
    },
    sizes=("clip-image-tiny", "clip-image-siglip-tiny"),
    folder_of=folder_of,
    configs=CONFIG_MAPPING,
    base=PreTrainedConfig,
)
find, tower_config = TOWER.find, TOWER.config
