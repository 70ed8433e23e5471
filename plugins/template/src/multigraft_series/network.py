"""The backbone: an `nn.Module` with ``width``, ``blocks``, ``head_bias``, ``forward`` and
``save``."""

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

WEIGHTS, CONFIG = "model.safetensors", "config.json"


class Block(nn.Module):
    """A residual convolution that sees nothing of the padding."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Conv1d(width, width, kernel_size=5, padding=2)
        self.dropout = nn.Dropout(0.1)

    def forward(self, hidden: Tensor, real: Tensor) -> Tensor:
        """[B, T, D], [B, T, 1] -> [B, T, D]."""
        inner = (self.norm(hidden) * real).transpose(1, 2)
        added: Tensor = hidden + self.dropout(torch.tanh(self.linear(inner))).transpose(1, 2)
        return added


class SeriesNet(nn.Module):
    """Numbers [B, T] -> features."""

    head_bias = True

    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.width = width
        self.hidden = nn.Parameter(torch.zeros(width))  # stands where pretraining hides a number
        self.embed = nn.Linear(1, width)
        self.layers = nn.ModuleList(Block(width) for _ in range(depth))
        self.last_norm = nn.LayerNorm(width)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """From the input to the output: what strategies freeze, slow down and unfreeze."""
        return [self.embed, *self.layers]

    def forward(self, batch: Batch) -> mg.Features:
        """``values`` [B, T], ``attention_mask`` [B, T], and in pretraining ``hide`` [B, T] bool."""
        mask = batch["attention_mask"].bool()
        real = mask.unsqueeze(-1).to(self.hidden.dtype)
        hidden = self.embed(batch["values"].unsqueeze(-1))
        if "hide" in batch:
            hidden = torch.where(batch["hide"].unsqueeze(-1), self.hidden, hidden)
        for layer in self.layers:
            hidden = layer(hidden, real)
        hidden = self.last_norm(hidden)
        return mg.Features(pooled=mean_pool(hidden, mask), sequence=hidden, mask=mask)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write configuration and weights. No other library has this network, so the head stays
        out."""
        config = {"width": self.width, "depth": len(self.layers), "labels": list(labels)}
        (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
        save_file(self.state_dict(), folder / WEIGHTS)


def build(origin: mg.Origin, spec: dict[str, Any]) -> SeriesNet:
    """A new network, or one with the weights that `SeriesNet.save` wrote. Raises WeightsError."""
    network = SeriesNet(origin.config["width"], origin.config["depth"])
    if origin.path is not None:
        try:
            network.load_state_dict(load_file(origin.path / WEIGHTS))
        except (OSError, RuntimeError) as error:
            raise mg.WeightsError(
                f"{origin.path}: holds no weights of {origin.backbone}: {error}"
            ) from error
    return network
