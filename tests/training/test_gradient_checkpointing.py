"""Gradient checkpointing changes memory, not results."""

from __future__ import annotations

import gc
from typing import Any

import torch
from torch import nn

from multigraft.contracts.features import Features
from multigraft.models.graft import Graft
from multigraft.training.gradient_checkpointing import gradient_checkpointing


class Deep(nn.Module):
    """Layers whose insides are large, called with keywords, giving tuples."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Layer() for _ in range(6))

    def forward(self, batch: dict[str, torch.Tensor]) -> Features:
        hidden = batch["x"]
        for block in self.blocks:
            hidden, _ = block(hidden=hidden)
        return Features(pooled=hidden)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(16, 512), nn.Linear(512, 16)
        self.dropout = nn.Dropout(0.5)

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, None]:
        return hidden + self.down(self.dropout(self.up(hidden).tanh())), None


class Head(nn.Module):
    def forward(self, features: Features, batch: Any) -> dict[str, torch.Tensor]:
        return {"out": features.pooled}


def gradients(graft: Graft, batch: dict[str, torch.Tensor]) -> tuple[list[torch.Tensor], int]:
    """The gradients, and the bytes that the forward pass kept for them."""
    kept = 0

    def count(tensor: torch.Tensor) -> torch.Tensor:
        nonlocal kept
        kept += tensor.nbytes
        return tensor

    graft.zero_grad()
    torch.manual_seed(0)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        loss = graft(batch)["out"].square().sum()
        gc.collect()
        held = kept
    loss.backward()
    return [p.grad.clone() for p in graft.parameters() if p.grad is not None], held


def test_gradients_are_equal_and_little_is_kept() -> None:
    torch.manual_seed(1)
    graft, batch = Graft(Deep(), Head()), {"x": torch.randn(64, 16)}
    plain, much = gradients(graft, batch)
    with gradient_checkpointing(graft):
        again, little = gradients(graft, batch)
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
    assert len(plain) == len(again) == 24
    assert little * 5 < much
    assert all("forward" not in block.__dict__ for block in graft.backbone.blocks)


def test_blocks_at_rest_are_computed_plainly() -> None:
    graft, batch = Graft(Deep(), Head()), {"x": torch.randn(4, 16)}
    graft.backbone.blocks[0].requires_grad_(False).eval()
    with gradient_checkpointing(graft):
        _, _ = gradients(graft, batch)
    assert graft.backbone.blocks[0].up.weight.grad is None
    assert graft.backbone.blocks[1].up.weight.grad is not None
