"""The family that is registered; importing it imports no torch."""

from __future__ import annotations

from multigraft import Backbone, Lazy, Size

_TINY = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "image_size": 32,
    "patch_size": 8,
}

CLIP_IMAGE = Backbone(
    name="clip-image",
    modality="image",
    build=Lazy("multigraft_vision.clip.build:build"),
    reader=Lazy("multigraft_vision.clip.preprocessing:reader_spec"),
    find=Lazy("multigraft_vision.clip.configuration:find"),
    sizes={
        "tiny": Size(config={**_TINY, "model_type": "clip_vision_model", "projection_dim": 64}),
        "siglip-tiny": Size(config={**_TINY, "model_type": "siglip_vision_model"}),
    },
)
