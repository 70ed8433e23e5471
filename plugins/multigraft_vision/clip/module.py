"""An image tower of a dual encoder as a backbone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import CLIPVisionModelWithProjection

from multigraft import Features, SharedSpace
from multigraft.contracts.features import Batch
from multigraft.contracts.types import Spec
from multigraft.system.quiet import quiet_transformers
from multigraft_vision.clip.preprocessing import Preprocessing, save_preprocessing


class ImageTower(nn.Module):
    """uint8 images [B, H, W, 3] -> `Features`, by an image encoder of transformers' CLIP or SigLIP
    without the layer that projects.

    That is no part of it until a head takes it (`shared_space`).
    """

    head_bias = True

    def __init__(
        self,
        model: Any,
        spec: Spec,
        preprocessing: Preprocessing,
        shared_space: SharedSpace | None,
    ) -> None:
        super().__init__()
        self.model, self.spec, self.preprocessing = model, spec, preprocessing
        self.shared_space = shared_space
        """None where the weights lack the projection."""
        self.width: int = model.config.hidden_size
        mean, std = (
            torch.tensor(each).view(3, 1, 1) for each in (preprocessing.mean, preprocessing.std)
        )
        self.register_buffer("scale", 1 / (255 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The embeddings, then the layers."""
        return [self.model.embeddings, *self.model.encoder.layers]

    def forward(self, batch: Batch) -> Features:
        """Normalise ``image``; pooled is CLIP's class token, or what SigLIP's attention pools."""
        image = batch["image"].permute(0, 3, 1, 2)
        output = self.model(pixel_values=image.float() * self.scale + self.shift)
        return Features(pooled=output.pooler_output, sequence=output.last_hidden_state)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write a folder that ``CLIPVisionModelWithProjection`` opens, or ``SiglipVisionModel``.

        Neither has a place for a ``head``: transformers' classifiers of them read the mean of the
        patches.
        """
        del head, labels
        with quiet_transformers():
            self._whole().save_pretrained(folder)
        kind = self.model.config.model_type
        save_preprocessing(folder, self.spec, self.preprocessing, kind)

    def _whole(self) -> Any:
        space = self.shared_space
        if space is None or space.model == "siglip":
            return self.model
        with torch.device("meta"):
            whole: Any = CLIPVisionModelWithProjection(self.model.config)
        whole.vision_model, whole.visual_projection = self.model, space.projection
        return whole


def clip_space(whole: Any) -> SharedSpace:
    """The space of a ``CLIPVisionModelWithProjection``."""
    return SharedSpace(
        model="clip",
        width=whole.config.projection_dim,
        projection=whole.visual_projection,
        loss="infonce",
    )


def siglip_space(model: Any) -> SharedSpace:
    """The space of a ``SiglipVisionModel``, which is that of its pooled features."""
    return SharedSpace(
        model="siglip",
        width=model.config.hidden_size,
        projection=nn.Identity(),
        loss="siglip",
    )
