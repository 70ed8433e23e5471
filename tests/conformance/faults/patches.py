"""Faults of backbones that compute some patches alone."""

from __future__ import annotations

from typing import Any

from torch import Tensor

import multigraft as mg
from conformance.faults.good import Net
from multigraft.contracts.types import Spec
from multigraft_vision.backbone import TimmBackbone
from multigraft_vision.patches import taken
from multigraft_vision.weights import build

TINY = mg.Size(
    config={
        "architecture": "vit_tiny_patch16_224",
        "model_args": {"patch_size": 8, "embed_dim": 32, "depth": 2, "num_heads": 2},
        "data": {"input_size": [3, 16, 16], "crop_pct": 1.0},
    }
)


class Elsewhere(Net):
    patches = mg.Patches(grid=(3, 3), size=(8, 8), before=0)


class LooksAcross(TimmBackbone):
    """Drops patches behind the last block, where each has seen all others."""

    def _visible(self, pixels: Tensor, visible: Tensor) -> mg.Features:
        tokens = self.model.forward_features(pixels)
        sequence = taken(tokens, visible, self.model.num_prefix_tokens)
        return mg.Features(pooled=sequence[:, 0], sequence=sequence)


class Unordered(TimmBackbone):
    """Gives the patches as they lie, whatever the order they are asked for in."""

    def _visible(self, pixels: Tensor, visible: Tensor) -> mg.Features:
        return super()._visible(pixels, visible.sort(1).values)


def looking(kind: type[TimmBackbone]) -> dict[str, Any]:
    """A vision transformer of that class, as a backbone's fields."""

    def made(origin: mg.Origin, spec: Spec) -> TimmBackbone:
        module = build(origin, spec)
        module.__class__ = kind
        return module

    reader = mg.Lazy("multigraft_vision.plan:reader_spec")
    return {"modality": "image", "sizes": {"tiny": TINY}, "build": made, "reader": reader}
