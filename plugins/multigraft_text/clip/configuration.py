"""Configuration of a text tower: of a size without weights, or of a folder that holds the tower
alone or the whole dual encoder."""

from __future__ import annotations

from transformers import CONFIG_MAPPING, PreTrainedConfig

from multigraft.models.dual_encoder import Tower
from multigraft_text.weights import folder_of

CLIP, SIGLIP = "clip_text_model", "siglip_text_model"
TOWER = Tower(
    what="text tower",
    section="text_config",
    types={"clip": CLIP, "siglip": SIGLIP},
    others={
        **dict.fromkeys(
            ("clip_vision_model", "siglip_vision_model"),
            "the image tower alone, which the family 'clip-image' opens",
        ),
        "siglip2": "pictures of any shape are read by it, which is not supported",
    },
    sizes=("clip-text-tiny", "clip-text-siglip-tiny"),
    folder_of=folder_of,
    configs=CONFIG_MAPPING,
    base=PreTrainedConfig,
)
find, tower_config = TOWER.find, TOWER.config
