"""What is clustered: cepstra in the first round, a middle layer of the round before in others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft_speech.units.cepstra import Cepstra
from multigraft_speech.units.middle_layer import folder_of, middle_layer, same_frames

WINDOW, HOP = 0.025, 0.020
"""Seconds of a frame that is clustered, and from one to the next: those of the published
convolutions."""


def clustered(options: Mapping[str, Any], rate: int) -> tuple[nn.Module, Spec]:
    """The features of which centroids are learned, and what the targets say of a teacher: its
    folder and the layer. Raises MultigraftError."""
    if options["teacher"] is None:
        return Cepstra(rate, hop=round(HOP * rate), field=round(WINDOW * rate)), {}
    folder = folder_of(options["teacher"]).absolute()
    found = middle_layer(folder, options["layer"])
    layer = 1 + list(found.teacher.model.encoder.layers).index(found.layer)
    return found, {"teacher": str(folder), "layer": layer}


def compared(targets: Spec, backbone: Any, rate: int) -> nn.Module:
    """The features that lie where the frames of a backbone do. Raises MultigraftError."""
    if "teacher" not in targets:
        return Cepstra(rate, hop=backbone.hop, field=backbone.field)
    folder = Path(targets["teacher"])
    if not folder.is_dir():  # a run is opened without it, to be exported
        return Gone(folder)
    found = middle_layer(folder, targets["layer"])
    same_frames(found.teacher, backbone)
    return found


class Gone(nn.Module):
    """Stands for a teacher that is not where it was."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def forward(self, batch: Batch) -> Tensor:
        """Raise WeightsError."""
        raise WeightsError(
            f"{self.folder}: the teacher whose layer was clustered is gone; put its folder back to "
            "train or to measure"
        )


class Units(nn.Module):
    """The number of the nearest centroid for each frame: a batch -> int64 [B, T]."""

    def __init__(self, features: nn.Module, centroids: Tensor) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("centroids", centroids, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Compute them without a gradient."""
        with torch.no_grad():
            found = self.features(batch).float()
            away = self.centroids.square().sum(1) - 2 * found @ self.centroids.T
            units: Tensor = away.argmin(-1)
        return units
