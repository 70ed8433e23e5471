"""Differentiable inputs of a network: numbers as they are, and what embeddings give for ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from multigraft.contracts.explaining import GradientSubject
from multigraft.contracts.features import Batch

IDS = (torch.int64, torch.int32, torch.bool)
"""Types of what has no gradient: ids and masks. All others are numbers."""
Inputs = dict[str, Tensor]
"""Tensors [N, ...] by name: a batch's numbers, and the outputs of the embeddings that read ids, as
``embedding 0``."""


def inputs_of(subject: GradientSubject, batch: Batch) -> Inputs:
    """The differentiable inputs of rows."""
    numbers = {name: value.float() for name, value in batch.items() if value.dtype not in IDS}
    if not _embeddings(subject.graft):
        return numbers
    with torch.no_grad(), _heard(subject.graft) as heard:
        subject.number(batch)
    rows = len(next(iter(batch.values())))
    return {**numbers, **{name: each for name, each in heard.items() if len(each) == rows}}


def number_at(subject: GradientSubject, batch: Batch, inputs: Mapping[str, Tensor]) -> Tensor:
    """The explained number [N] of rows whose differentiable inputs are those."""
    numbers = {name: value for name, value in inputs.items() if name in batch}
    with _replaced(subject.graft, inputs):
        return subject.number({**batch, **numbers})


@contextmanager
def _heard(graft: nn.Module) -> Iterator[Inputs]:
    """What every embedding gives, by the order in which they are called."""
    found: Inputs = {}

    def hear(module: nn.Module, args: Any, output: Tensor) -> None:
        del module, args
        found[_name(len(found))] = output.detach()

    with _hooked(graft, hear):
        yield found


@contextmanager
def _replaced(graft: nn.Module, inputs: Mapping[str, Tensor]) -> Iterator[None]:
    """Let embeddings give these outputs in the place of their own."""
    called = 0

    def replace(module: nn.Module, args: Any, output: Tensor) -> Tensor:
        nonlocal called
        del module, args
        called += 1
        return inputs.get(_name(called - 1), output)

    with _hooked(graft, replace):
        yield


@contextmanager
def _hooked(graft: nn.Module, hook: Any) -> Iterator[None]:
    handles = [each.register_forward_hook(hook) for each in _embeddings(graft)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _embeddings(graft: nn.Module) -> list[nn.Embedding]:
    return [each for each in graft.modules() if isinstance(each, nn.Embedding)]


def _name(place: int) -> str:
    return f"embedding {place}"
