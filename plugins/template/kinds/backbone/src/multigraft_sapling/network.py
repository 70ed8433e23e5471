"""The network: an `nn.Module` with ``width``, ``blocks``, ``head_bias``, ``forward`` and
``save``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import multigraft as mg
from multigraft.contracts.features import Batch

WEIGHTS, CONFIG = "model.safetensors", "config.json"


class Block(nn.Module):
    """A residual pair of convolutions: one in space, one across channels."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.space = nn.Conv2d(width, width, kernel_size=3, padding=1)
        self.norm = nn.GroupNorm(1, width)
        self.channels = nn.Conv2d(width, width, kernel_size=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, D, H, W] -> [B, D, H, W]."""
        added: Tensor = hidden + self.channels(self.norm(self.space(hidden)).relu())
        return added


class SaplingNet(nn.Module):
    """Pictures [B, H, W, 3] in bytes -> features."""

    head_bias = True

    def __init__(self, config: dict[str, int]) -> None:
        super().__init__()
        self.config = config
        self.width = config["width"]
        self.patches = nn.Conv2d(3, self.width, kernel_size=4, stride=4)
        self.layers = nn.ModuleList(Block(self.width) for _ in range(config["depth"]))

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """From the input to the output: what strategies freeze, slow down and unfreeze."""
        return [self.patches, *self.layers]

    def forward(self, batch: Batch) -> mg.Features:
        """``image`` uint8 [B, H, W, 3]; scaling is done here, so that an exported graph holds
        it."""
        hidden = self.patches(
            batch["image"].permute(0, 3, 1, 2).to(self.patches.weight.dtype) / 127.5 - 1
        )
        for layer in self.layers:
            hidden = layer(hidden)
        return mg.Features(
            pooled=hidden.mean((2, 3)), sequence=hidden.flatten(2).mT, maps=(hidden,)
        )

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write configuration and weights. No other library has this network, so the head stays
        out."""
        text = json.dumps({**self.config, "labels": list(labels)})
        (folder / CONFIG).write_text(text, encoding="utf-8")
        # training lays convolutions out as processors read them fastest, which the file format does
        # not know
        save_file(
            {name: value.contiguous() for name, value in self.state_dict().items()},
            folder / WEIGHTS,
        )


def build(origin: mg.Origin, spec: dict[str, Any]) -> SaplingNet:
    """A new network, or one with the weights that `SaplingNet.save` wrote. Raises WeightsError."""
    network = SaplingNet(dict(origin.config))
    if origin.path is not None:
        try:
            network.load_state_dict(load_file(origin.path / WEIGHTS))
        except (OSError, RuntimeError) as error:
            raise mg.WeightsError(
                f"{origin.path}: holds no weights of {origin.backbone}: {error}"
            ) from error
    return network
