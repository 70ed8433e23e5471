"""Which method of masked image modeling fits a backbone."""

from __future__ import annotations

from multigraft import Brief, MultigraftError, Objective
from multigraft.contracts.features import patches_of
from multigraft_vision.masked.autoencoder import MaskedAutoencoder
from multigraft_vision.masked.simmim import SimMIM


def masked_image_modeling(brief: Brief) -> Objective:
    """The method that the task's options name. Raises MultigraftError where it does not fit."""
    plain = patches_of(brief.backbone) is not None
    method = brief.options["method"]
    if method == "mae" and not plain:
        raise MultigraftError(
            "task.method: mae needs a plain vision transformer, as vit-tiny or "
            "timm/vit_base_patch16_224, whose patches can be computed alone; use simmim, which "
            "takes any backbone with maps"
        )
    return SimMIM(brief) if method == "simmim" or not plain else MaskedAutoencoder(brief)
