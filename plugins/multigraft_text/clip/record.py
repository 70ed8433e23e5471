"""The family that is registered; importing it imports no torch."""

from __future__ import annotations

from multigraft import Backbone, Lazy, Size

_TINY = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 128,
    "max_position_embeddings": 32,
}

CLIP_TEXT = Backbone(
    name="clip-text",
    modality="text",
    build=Lazy("multigraft_text.clip.build:build"),
    reader=Lazy("multigraft_text.clip.reading:reader_spec"),
    find=Lazy("multigraft_text.clip.configuration:find"),
    sizes={
        "tiny": Size(config={**_TINY, "model_type": "clip_text_model", "projection_dim": 64}),
        "siglip-tiny": Size(config={**_TINY, "model_type": "siglip_text_model"}),
    },
)
