"""A network of two residual layers at each position: the backbone of several toys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import multigraft as mg
from multigraft.contracts.features import Batch, mean_pool
from multigraft.contracts.types import Spec


class Block(nn.Module):
    """A residual layer at each position."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)

    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + self.linear(hidden).tanh()


class ResidualNet(nn.Module):
    """An embedding and two blocks; a class of it says its ``width`` and what it reads."""

    width: int
    head_bias = True

    def __init__(self, embed: nn.Module, width: int) -> None:
        super().__init__()
        self.embed = embed
        self.layers = nn.ModuleList([Block(width), Block(width)])
        self.norm: nn.Module = nn.Identity()

    @property
    def blocks(self) -> list[nn.Module]:
        return [self.embed, *self.layers]

    def inputs(self, batch: Batch) -> Tensor:
        """What is embedded, a position on the second axis."""
        raise NotImplementedError

    def forward(self, batch: Batch) -> mg.Features:
        hidden = self.run(self.inputs(batch))
        mask = batch["mask"].bool()
        return mg.Features(pooled=mean_pool(hidden, mask), sequence=hidden, mask=mask)

    def run(self, values: Tensor) -> Tensor:
        """What is embedded -> [B, T, D]."""
        hidden = self.embed(values)
        for layer in self.layers:
            hidden = layer(hidden)
        normed: Tensor = self.norm(hidden)
        return normed

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        save_file(self.state_dict(), folder / "model.safetensors")


def building(module: Callable[[], ResidualNet]) -> Callable[[mg.Origin, Spec], ResidualNet]:
    """The `build` of a backbone of that class."""

    def build(origin: mg.Origin, spec: Spec) -> ResidualNet:
        net = module()
        if origin.path is not None:
            net.load_state_dict(load_file(origin.path / "model.safetensors"))
        return net

    return build
