"""Detectors of transformers by their model type: which are backbones here, and why others are
not."""

from __future__ import annotations

from collections.abc import Mapping

from multigraft.errors import WeightsError, did_you_mean, shown

KINDS = ("rt_detr", "rt_detr_v2", "d_fine")
"""Model types whose encoder gives a feature pyramid that their decoder reads."""
ENCODERS = ("rt_detr_resnet", "hgnet_v2")
"""Model types of the convolutional network in front of the encoder."""

NO_PYRAMID = (
    "its encoder gives one sequence instead of maps at several strides, and its pictures are "
    "padded to any size"
)
BY_TEXTS = "it looks for what a text names"
OF_PAGES = "it finds the parts of a page"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(
        ("detr", "conditional_detr", "dab-detr", "deformable_detr", "table-transformer", "yolos"),
        NO_PYRAMID,
    ),
    **dict.fromkeys(
        ("grounding-dino", "mm-grounding-dino", "omdet-turbo", "owlv2", "owlvit"), BY_TEXTS
    ),
    **dict.fromkeys(("pp_doclayout_v2", "pp_doclayout_v3", "pp_doclayout_v4"), OF_PAGES),
    **dict.fromkeys(("rf_detr", "lw_detr"), "its encoder is a transformer that is cut otherwise"),
    "deimv2": "its decoder is cut otherwise",
}
"""Detectors that transformers has, and what keeps each from being a backbone here."""


def check_kind(kind: object) -> str:
    """The model type, where it is a backbone. Raises WeightsError with the reason for others.

    >>> check_kind("d_fine")
    'd_fine'
    """
    if isinstance(kind, str) and kind in KINDS:
        return kind
    if isinstance(kind, str) and kind in REFUSED:
        raise WeightsError(
            f"detectors of the type {kind!r} are not supported: {REFUSED[kind]}; allowed: "
            f"{', '.join(KINDS)}"
        )
    raise WeightsError(
        f"no detector of the type {shown(repr(kind))} is known: {did_you_mean(str(kind), KINDS)} "
        "Code that lies beside weights (remote code) is never run. Weights on the hub are named "
        "owner/name, a folder begins with ./ or /"
    )
