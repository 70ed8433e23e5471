"""Batch normalisation where a batch has one value a channel: by the statistics learned so far.

The last batch of an epoch may hold one row, as may the rows of a batch that have one branch; on a
map of one pixel such a row has no statistics, and torch refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def lone_rows(module: nn.Module) -> Iterator[None]:
    """Let batch norms within ``module`` take a batch of one value a channel in training."""
    hooks = []
    for each in module.modules():
        if isinstance(each, _BatchNorm) and each.track_running_stats:
            hooks.append(each.register_forward_pre_hook(_rest))
            hooks.append(each.register_forward_hook(_resume, always_call=True))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _rest(norm: nn.Module, given: tuple[Any, ...]) -> None:
    values = given[0]
    alone = isinstance(values, Tensor) and values.numel() == values.shape[1]
    norm.__dict__["_rests"] = norm.training and alone
    if norm.__dict__["_rests"]:
        norm.training = False


def _resume(norm: nn.Module, given: tuple[Any, ...], made: Any) -> None:
    if norm.__dict__.pop("_rests", False):
        norm.training = True
