"""What the strategy decides, block by block."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import multigraft as mg
import multigraft_sapling
from multigraft.contracts.plan import Plan
from multigraft.models.graft import Graft


class Blocks(nn.Module):
    """Four blocks, and a norm behind them."""

    width, head_bias = 3, True

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(3, 3) for _ in range(4))
        self.norm = nn.LayerNorm(3)

    def forward(self, batch: dict[str, torch.Tensor]) -> mg.Features:
        hidden = batch["values"]
        for block in self.blocks:
            hidden = block(hidden)
        return mg.Features(pooled=self.norm(hidden))

    def save(self, folder: Path, *, head: Any, labels: Any) -> None:
        """Nothing is saved in this test."""


@pytest.mark.parametrize(("every", "learning"), [(1, [0, 1, 2, 3]), (2, [1, 3]), (3, [0, 3])])
def test_one_block_in_so_many_learns(every: int, learning: list[int]) -> None:
    strategy = mg.Catalog([multigraft_sapling], discover=False).strategy("sapling")
    plan = strategy.plan(
        Plan.start(Graft(Blocks(), nn.Linear(3, 2))), {"every": every, "factor": 0.5}
    )
    found = [block for block in range(4) if plan.rules[f"backbone.blocks.{block}.weight"].learns]
    assert found == learning
    assert plan.rules["backbone.norm.weight"].learns
    assert plan.rules["backbone.blocks.3.weight"].scale == 0.5
    assert plan.rules["head.weight"].scale == 1.0
