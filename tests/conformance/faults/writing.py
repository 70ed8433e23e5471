"""Faults of a task whose model writes: each changes one thing of the recurrent toy's step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import multigraft as mg
from helpers import recurrent_toy
from helpers.recurrent_network import DigitModeling, Writer
from multigraft.contracts.generation import Tensors


class Forgets(Writer):
    """Begins anew at every step."""

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        return super().step(new, {name: each * 0 for name, each in past.items()}, memory)


class ReadsPadding(Writer):
    """Takes padding for tokens."""

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        real = mg.NewTokens(new.ids, torch.ones_like(new.mask), new.positions, new.kept)
        return super().step(real, past, memory)


class Renames(Writer):
    """Gives its state under other names."""

    def step(self, new: mg.NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        logits, present = super().step(new, past, memory)
        return logits, {f"next.{name}": each for name, each in present.items()}


@dataclass(frozen=True, eq=False)
class Plugin:
    """The recurrent toy with another step."""

    writer: type[Writer]

    @mg.hookimpl
    def register_modalities(self) -> Any:
        return recurrent_toy.register_modalities()

    @mg.hookimpl
    def register_backbones(self) -> Any:
        return recurrent_toy.register_backbones()

    @mg.hookimpl
    def register_tasks(self) -> Any:
        objective = type("Odd", (DigitModeling,), {"writer": self.writer})
        name, modalities = "odd-modeling", ("digits",)
        return [mg.Task(name=name, stage="pretrain", modalities=modalities, objective=objective)]
