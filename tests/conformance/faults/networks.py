"""Faults of backbones."""

from __future__ import annotations

import contextlib
import pickle
import random
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import multigraft as mg
from conformance.faults.good import WIDTH, Net
from helpers.residual_network import Block
from multigraft.contracts.features import mean_pool


class Wide(Net):
    width = 2 * WIDTH


class CountedMask(Net):
    def forward(self, batch: dict[str, Tensor]) -> mg.Features:
        return replace(super().forward(batch), mask=batch["mask"])


class FullMask(Net):
    def forward(self, batch: dict[str, Tensor]) -> mg.Features:
        return replace(super().forward(batch), mask=torch.ones_like(batch["mask"]).bool())


class Hops(Net):
    hop = 2
    field = 1


class NotPooled(Net):
    def forward(self, batch: dict[str, Tensor]) -> mg.Features:
        found = super().forward(batch)
        return replace(found, pooled=found.sequence)


class SeesPadding(Net):
    def forward(self, batch: dict[str, Tensor]) -> mg.Features:
        found = super().forward(batch)
        return replace(found, pooled=mean_pool(found.sequence, None))


class SpreadsPadding(Net):
    def run(self, values: Tensor) -> Tensor:
        hidden = super().run(values)
        return hidden + hidden.mean(1, keepdim=True)


class NotFinite(Net):
    def run(self, values: Tensor) -> Tensor:
        return super().run(values) / 0.0


class Blind(Net):
    def run(self, values: Tensor) -> Tensor:
        return super().run(torch.zeros_like(values))


class AlwaysDrops(Net):
    def run(self, values: Tensor) -> Tensor:
        return nn.functional.dropout(super().run(values), 0.5, training=True)


class WritesInput(Net):
    def forward(self, batch: dict[str, Tensor]) -> mg.Features:
        batch["values"].div_(10)
        return super().forward(batch)


class Remembers(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def run(self, values: Tensor) -> Tensor:
        self.seen += values.mean()
        return super().run(values)


class Unseeded(Net):
    def __init__(self) -> None:
        super().__init__()
        with torch.no_grad():
            self.embed.bias.fill_(random.SystemRandom().random())


class Misordered(Net):
    @property
    def blocks(self) -> list[nn.Module]:
        return [self.embed, self.layers[1], self.layers[0]]


class RunsBackwards(Net):
    def run(self, values: Tensor) -> Tensor:
        hidden = self.embed(values)
        for layer in reversed(self.layers):
            hidden = layer(hidden)
        normed: Tensor = self.norm(hidden)
        return normed


class Uncovered(Net):
    def __init__(self) -> None:
        super().__init__()
        self.rest = nn.ModuleList([Block(WIDTH) for _ in range(6)])

    def run(self, values: Tensor) -> Tensor:
        hidden = super().run(values)
        for layer in self.rest:
            hidden = layer(hidden)
        return hidden


class OneBlock(Net):
    @property
    def blocks(self) -> list[nn.Module]:
        return [self.layers]


class Overwriting(Net):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Block(WIDTH), InPlace(WIDTH)])


class InPlace(Block):
    def forward(self, hidden: Tensor) -> Tensor:
        with torch.no_grad():
            hidden.mul_(0.5)
        return super().forward(hidden)


class Detached(Net):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([DetachedBlock(WIDTH), Block(WIDTH)])


class DetachedBlock(Block):
    def forward(self, hidden: Tensor) -> Tensor:
        return hidden + torch.tanh(self.linear(hidden).detach())


class Idle(Net):
    def __init__(self) -> None:
        super().__init__()
        self.never = nn.Parameter(torch.zeros(WIDTH))


class Skipping(Net):
    def run(self, values: Tensor) -> Tensor:
        first = self.embed(values)
        hidden = self.layers[1](self.layers[0](first)) + first
        normed: Tensor = self.norm(hidden)
        return normed


class Pickled(Net):
    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        super().save(folder, head=head, labels=labels)
        (folder / "extra.dat").write_bytes(pickle.dumps(list(labels)))


class TorchSaved(Net):
    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        super().save(folder, head=head, labels=labels)
        torch.save(self.state_dict(), folder / "model.pt")


class Rounded(Net):
    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        half = Net()
        half.load_state_dict(
            {name: value.half().float() for name, value in self.state_dict().items()}
        )
        Net.save(half, folder, head=head, labels=labels)


class Branching(Net):
    def run(self, values: Tensor) -> Tensor:
        hidden = super().run(values)
        return hidden if float(hidden.sum()) > 0 else hidden.flip(-1)


class WrongInGraph(Net):
    def run(self, values: Tensor) -> Tensor:
        hidden = super().run(values)
        return hidden + 1 if torch.compiler.is_exporting() else hidden


class Drifting(Net):
    def run(self, values: Tensor) -> Tensor:
        if self.training:
            self.embed.weight.data.add_(0.1)
        return super().run(values)


class Fine(Net):
    """What differs from row to row is a hundred-thousandth of what a layer sees."""

    def run(self, values: Tensor) -> Tensor:
        middle = torch.full_like(values, 100.0)
        first = self.layers[0].linear(self.embed(middle + values / 1000))
        return (first - self.layers[0].linear(self.embed(middle))) * 1000


class Handless(Net):
    head_bias: Any = None


def asks_network(origin: mg.Origin, spec: Any) -> Net:
    """Swallows the error, as a library that falls back to its cache does."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", 9), timeout=0.1)
    return Net()


def forgets_scale(origin: mg.Origin, options: Any) -> Any:
    """Says something else of a saved folder than of new weights."""
    return {"scale": 2.0 if origin.path is None else 1.0}


def loses_weights(origin: mg.Origin, spec: Any) -> Net:
    """Reads nothing back."""
    return Net()


def lacks_members(origin: mg.Origin, spec: Any) -> nn.Module:
    """A plain network."""
    return nn.Linear(1, WIDTH)
