"""A detector of transformers as a backbone: its encoder gives a feature pyramid, its decoder tells
objects, and its predictors are the head that it brings along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from multigraft import Features, Level
from multigraft.contracts.features import Batch
from multigraft.contracts.types import Spec
from multigraft.system.quiet import quiet_transformers
from multigraft_vision.detr.decoding import decoded
from multigraft_vision.detr.losses import row_losses, targets_of
from multigraft_vision.detr.predictors import put_back, relabel, take_out
from multigraft_vision.detr.preprocessing import Preprocessing, save_preprocessing

NEVER_LEARN = ("reg_scale", "up")
"""Parameters of D-FINE's decoder that are settings."""


class Detector(nn.Module):
    """uint8 images [B, H, W, 3] -> `Features` with the maps of the encoder, finest first.

    Built around transformers' own model, so that what it saves is that class's folder. The
    predictors are no part of it until a head takes them (`detection_head`).
    """

    head_bias = True
    pyramid = False
    """The maps are there, whether they are asked for or not."""
    joins = True

    def __init__(self, model: Any, spec: Spec, preprocessing: Preprocessing) -> None:
        super().__init__()
        _fix_settings(model.model.decoder)
        # out of sight of nn.Module, which would count them as the backbone's
        self.__dict__["predictors"] = take_out(model)
        self.model = model
        self.spec, self.preprocessing = spec, preprocessing
        self.width: int = model.config.encoder_hidden_dim
        mean, std = (
            torch.tensor(each).view(3, 1, 1) for each in (preprocessing.mean, preprocessing.std)
        )
        self.register_buffer("scale", 1 / (255 * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The stages of the convolutional network, then the encoder's layers on the way down and
        up."""
        base = self.model.model
        encoder = base.encoder
        return [
            *base.backbone.model.encoder.stages,
            *(encoder.aifi if self.model.config.encoder_layers else ()),
            *encoder.fpn_blocks,
            *encoder.pan_blocks,
        ]

    @property
    def later(self) -> Sequence[nn.Module]:
        """The decoder's layers."""
        return list(self.model.model.decoder.layers)

    @property
    def levels(self) -> tuple[Level, ...]:
        """The maps of the encoder."""
        return tuple(Level(self.width, stride) for stride in self.model.config.feat_strides)

    def train(self, mode: bool = True) -> Self:
        """As ever, but for the encoder's layers where they have no dropout: in training they look
        whether their numbers are finite, so that the way they compute would depend on the rows."""
        super().train(mode)
        if not self.model.config.dropout:
            for each in self.model.model.encoder.aifi:
                for layer in each.layers:
                    layer.training = False
        return self

    def forward(self, batch: Batch) -> Features:
        """The encoder's maps, and the mean of the coarsest."""
        image = batch["image"].permute(0, 3, 1, 2)
        pixels = image.float() * self.scale + self.shift
        base = self.model.model
        stages = base.backbone.model(pixels.contiguous()).feature_maps
        projected = [
            layer(each) for layer, each in zip(base.encoder_input_proj, stages, strict=True)
        ]
        maps = tuple(base.encoder(projected).last_hidden_state)
        return Features(pooled=maps[-1].mean((2, 3)), maps=maps)

    def detection_head(self, labels: Sequence[str]) -> nn.Module:
        """The detector's own head, for these labels."""
        relabel(self.model, self.predictors, labels)
        return DetectorHead(self)

    def detection_loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> tuple[Tensor, Tensor]:
        """The loss of each row [B], and its weight [B], of what the head gave."""
        return row_losses(self.model, outputs, targets_of(batch, self.size))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the input."""
        height, width = self.spec["size"]
        return height, width

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write a folder that ``AutoModelForObjectDetection`` opens, with the labels that the
        predictors know; it has no place for a ``head``."""
        del head, labels
        with put_back(self.model, self.predictors), quiet_transformers():
            self.model.save_pretrained(folder)
        said = self.preprocessing
        save_preprocessing(folder, self.spec, mean=said.mean, std=said.std)


class DetectorHead(nn.Module):
    """A detector's predictors, called by its decoder, whose weights are the backbone's."""

    def __init__(self, backbone: Detector) -> None:
        super().__init__()
        self.predictors = backbone.predictors
        self.decoder = _Decoder(backbone)  # called so, it stays float in an int8 graph

    def forward(self, features: Features, batch: Batch) -> dict[str, Tensor]:
        """As `decoding.decoded`: of every layer, and of true boxes with noise, where it trains."""
        found: dict[str, Tensor] = self.decoder(features, batch)
        return found


class _Decoder(nn.Module):
    def __init__(self, backbone: Detector) -> None:
        super().__init__()
        self._tied = (backbone,)  # in a tuple, where nn.Module does not look for submodules

    def forward(self, features: Features, batch: Batch) -> dict[str, Tensor]:
        (backbone,) = self._tied
        learns = self.training and "classes" in batch
        targets = targets_of(batch, backbone.size) if learns else None
        return decoded(backbone.model, features.maps, targets)


def _fix_settings(decoder: nn.Module) -> None:
    """Make numbers that are set and never learn buffers, saved as before."""
    for name in NEVER_LEARN:
        if name in decoder._parameters:
            value = decoder._parameters.pop(name)
            assert value is not None
            decoder.register_buffer(name, value.detach())
