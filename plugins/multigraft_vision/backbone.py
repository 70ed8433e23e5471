"""Image backbones: a timm network with its normalisation in front, kept in timm's own format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from multigraft import Features, Level, Patches
from multigraft.contracts.features import VISIBLE, Batch
from multigraft.contracts.types import Spec
from multigraft_vision.patches import patches_of, visible_features
from multigraft_vision.plan import FITS, Plan
from multigraft_vision.pyramid import Pyramid, as_maps, computed, surveyed
from multigraft_vision.survey import Layout, Survey

# What belongs to the weights that training started from, not to those that are saved.
SOURCE_KEYS = {
    "url", "file", "hf_hub_id", "hf_hub_filename", "source", "state_dict", "architecture",
    "label_offset",
    "label_names", "label_descriptions", "test_input_size", "test_pool_size", "test_crop_pct",
    "pool_size",
}  # fmt: skip

CHANNEL_KEYS = ("channels", "depth", "range", "mean", "std")
"""What a reader of channels knows; timm leaves the entry ``reader`` alone."""


class TimmBackbone(nn.Module):
    """Images [B, H, W, C], uint8 or float32 shares of their range -> `Features`, by any timm
    network."""

    head_bias = True
    pyramid = False
    """Whether `Features.maps` holds a map for each of `levels`, or the last one alone."""

    def __init__(self, model: Any, plan: Plan, survey: Survey, spec: Spec) -> None:
        super().__init__()
        self.model = model.to(memory_format=torch.channels_last)
        self.plan, self.survey, self.spec = plan, survey, spec
        self.width = survey.width
        self.channels: int = spec.get("channels", 3)
        told = spec if "channels" in spec else plan.cfg
        mean, std = (torch.tensor(told[key]).view(-1, 1, 1) for key in ("mean", "std"))
        full = 255 if spec.get("depth", 8) == 8 else 1
        self.register_buffer("scale", 1 / (full * std), persistent=False)
        self.register_buffer("shift", -mean / std, persistent=False)

    @property
    def blocks(self) -> list[nn.Module]:
        """The network's modules in the order they run, without the classifier."""
        return [self.model.get_submodule(path) for path in self.survey.blocks]

    @property
    def classifier(self) -> str | None:
        """timm's name of the classifier's layer, in files of weights; None where it has several."""
        names = tuple(self.survey.classifier)
        return names[0] if len(names) == 1 else None

    @property
    def levels(self) -> tuple[Level, ...]:
        """The maps of its pyramid: a convolutional network's own from stride 4 on, a plain
        transformer's last one at three strides."""
        return self._pyramid.levels

    @cached_property
    def _pyramid(self) -> Pyramid:
        height, width = self.spec["size"]
        return surveyed(self.plan.name, self.plan.cfg, self.plan.args, (height, width))

    @property
    def patches(self) -> Patches | None:
        """Of a plain vision transformer, which can compute some of them alone."""
        height, width = self.spec["size"]
        return patches_of(self.model, (height, width))

    def forward(self, batch: Batch) -> Features:
        """Normalise ``image`` as the weights expect, then timm's features and pooled features."""
        image = batch["image"].permute(0, 3, 1, 2)  # a view that is channels-last already
        pixels, layout = image.float() * self.scale + self.shift, self.survey.layout
        if VISIBLE in batch:
            return self._visible(pixels, batch[VISIBLE])
        if self.pyramid:
            features, maps = computed(self.model, layout, pixels, self._pyramid)
        else:
            features = self.model.forward_features(pixels)
            maps = as_maps(self.model, layout, features)
        pooled = self.model.forward_head(features, pre_logits=True)
        sequence = _sequence(layout, features)
        fits = sequence is not None and sequence.shape[-1] == self.width
        return Features(pooled=pooled, sequence=sequence if fits else None, maps=maps)

    def _visible(self, pixels: Tensor, visible: Tensor) -> Features:
        """The features of the visible patches of a plain vision transformer."""
        sequence = visible_features(self.model, pixels, visible)
        pooled = self.model.forward_head(sequence, pre_logits=True)
        return Features(pooled=pooled, sequence=sequence)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write timm's hub format, for ``timm.create_model("local-dir:<folder>")``."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {name: value.contiguous() for name, value in self.model.state_dict().items()}
        if head is not None:
            state |= self._classifier(head, len(labels))
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
        config = json.dumps(
            self._config(labels if head is not None else ()), indent=2, ensure_ascii=False
        )
        (folder / "config.json").write_text(config + "\n", encoding="utf-8")

    def _classifier(self, head: nn.Linear, count: int) -> dict[str, Tensor]:
        """The head's tensors by timm's names; some architectures take a 1 x 1 convolution."""
        state = {}
        for name, shape in self.survey.classifier.items():
            state[f"{name}.weight"] = head.weight.detach().reshape(count, *shape[1:]).clone()
            state[f"{name}.bias"] = head.bias.detach().clone()
        return state

    def _config(self, labels: Sequence[str]) -> Mapping[str, Any]:
        reader = {key: self.spec[key] for key in CHANNEL_KEYS if key in self.spec}
        data = {
            "input_size": [self.channels, *self.spec["size"]],
            **({key: reader[key] for key in ("mean", "std")} if reader else {}),
            "crop_pct": self.spec["crop"],
            "crop_mode": next(mode for mode, fit in FITS.items() if fit == self.spec["fit"]),
            "interpolation": self.spec["interpolation"],
        }
        kept = {
            key: value
            for key, value in self.plan.cfg.items()
            if key not in SOURCE_KEYS and value is not None
        }
        args = {
            key: value
            for key, value in self.plan.args.items()
            if not key.endswith("drop_path_rate")
        }
        return {
            "architecture": self.plan.name,
            "num_classes": len(labels),
            "num_features": self.model.num_features,
            **({"label_names": list(labels)} if labels else {}),
            "model_args": {**args, "num_classes": len(labels), "in_chans": self.channels},
            **({"reader": reader} if reader else {}),
            "pretrained_cfg": {**kept, **data, "num_classes": len(labels), "custom_load": False},
        }


def _sequence(layout: Layout, features: Any) -> Tensor | None:
    """timm's ``forward_features`` as [B, T, D], where it has positions."""
    if layout == "tokens":
        found: Tensor = features
        return found
    if layout == "NCHW":
        return features.flatten(2).transpose(1, 2)
    return features.flatten(1, 2) if layout == "NHWC" else None
