"""A backbone for images. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import multigraft as mg

requires_multigraft = ">=0.1,<0.2"


def reader_spec(origin: mg.Origin, options: Mapping[str, Any]) -> dict[str, Any]:
    """The reader these weights expect: what the image reader keeps as its spec. The recipe's
    options win."""
    side = options.get("size") or origin.config["size"]
    expected = {"crop": 1.0, "interpolation": "bilinear", "fit": "center", "max_pixels": 50_000_000}
    asked = {
        name: value for name, value in options.items() if value is not None and name in expected
    }
    return {"kind": "image", "size": [side, side], **expected, **asked}


@mg.hookimpl
def register_backbones() -> Sequence[mg.Backbone]:
    """A small residual network in two sizes."""
    return [
        mg.Backbone(
            name="sapling",
            modality="image",
            sizes={
                "tiny": mg.Size(config={"width": 16, "depth": 2, "size": 32}),
                "small": mg.Size(config={"width": 64, "depth": 6, "size": 128}),
            },
            build=mg.Lazy("multigraft_sapling.network:build"),
            reader=reader_spec,
            quantization="static",
        )
    ]
