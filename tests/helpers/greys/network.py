"""Convolutions that see nothing of the padding, whichever side it is on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import multigraft as mg
from multigraft.contracts.features import Batch, mean_pool


class Block(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(before, width, 3, padding=1)

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        return torch.relu(self.linear(hidden)) * real


class Lattice(nn.Module):
    """Pixels [B, H, W] -> a vector for each."""

    head_bias = True
    pyramid = False

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.ModuleList([Block(1, width), Block(width, width)])

    @property
    def blocks(self) -> Sequence[nn.Module]:
        return list(self.layers)

    @property
    def levels(self) -> Sequence[mg.Level]:
        return [mg.Level(self.width, 1), mg.Level(self.width, 2)]

    def forward(self, batch: Batch) -> mg.Features:
        real = batch["real"].float().unsqueeze(1)
        hidden = batch["pixels"].float().unsqueeze(1) / 9
        for layer in self.layers:
            hidden = layer(hidden, real)
        mask = batch["real"].bool().flatten(1)
        sequence = hidden.flatten(2).mT
        maps = (hidden, self.halved(hidden)) if self.pyramid else (hidden,)
        return mg.Features(
            pooled=mean_pool(sequence, mask), sequence=sequence, mask=mask, maps=maps
        )

    def halved(self, hidden: Tensor) -> Tensor:
        """The level at half the pixels; what pads a row is 0, and no number is below."""
        return nn.functional.max_pool2d(hidden, 2, ceil_mode=True)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        (folder / "config.json").write_text(json.dumps({"width": self.width}))
        weights = {name: value.contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / "model.safetensors")


def build(origin: mg.Origin, spec: dict[str, Any]) -> Lattice:
    network = Lattice(origin.config["width"])
    if origin.path is not None:
        network.load_state_dict(load_file(origin.path / "model.safetensors"))
    return network
