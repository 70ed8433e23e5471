"""Trial rows: those on which a replay is tried, and what is compared there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective
from multigraft.contracts.plan import blocks_of
from multigraft.contracts.types import Arrays
from multigraft.data import SomeRows
from multigraft.models.graft import Graft
from multigraft.training.replay.layout import join
from multigraft.training.replay.module_state import PLAIN
from multigraft.training.replay.player import Player

MORE = "what follows it needs more than the output of its last block"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The rows on which a replay is tried, and all that is compared there."""

    graft: Graft
    objective: Objective
    rows: SomeRows
    index: Sequence[int]
    """Their numbers."""
    batch: Callable[[Sequence[int]], Batch]
    """Makes a batch of rows, with targets, as a step has it."""
    later: Sequence[nn.Module]
    """The blocks that are computed in a replay."""
    fields: frozenset[str]
    """The fields of the features that the head reads."""
    changing: Sequence[Tensor]
    """What training changes: weights that learn, and buffers."""

    @property
    def compared(self) -> frozenset[str]:
        """Those of the fields whose numbers must be the same in a replay.

        The maps of a pyramid that reach nothing are not kept; which these are `check_rest` tells.
        """
        pyramid = bool(getattr(self.graft.backbone, "pyramid", False))
        return self.fields - {"maps"} if pyramid else self.fields

    def arrays(self, player: Player, number: int) -> Arrays:
        """Inputs of a player's frozen part for a row."""
        return self.rows.fetch(number, player.names)


def results(player: Player, part: Arrays) -> Any:
    """The results that are kept whole for one row: the last frozen block's, and others' that are
    read."""
    return whole(player, join(player.layouts, [part], player.device))


def whole(player: Player, found: Sequence[Any]) -> list[Any]:
    """Those of a frozen part's results whose numbers are kept."""
    return [each for layout, each in zip(player.layouts, found, strict=True) if layout.whole]


def dropout_layers(graft: Graft) -> str:
    """Dropout layers that act at present, outside the blocks."""
    inside = {module for block in blocks_of(graft) for module in block.modules()}
    acting = [
        f"{name} ({type(module).__name__})"
        for name, module in graft.backbone.named_modules()
        if "Drop" in type(module).__name__ and module.training and module not in inside
    ]
    return ", ".join(acting) or "a layer that draws at random"


def alike(found: Any, expected: Any, bound: float) -> bool:
    """Compare two structures of numbers, each row measured by the largest of its own."""
    pairs = [pytree.tree_leaves(value) for value in (found, expected)]
    return len(pairs[0]) == len(pairs[1]) and all(
        _near(one, other, bound) for one, other in zip(*pairs, strict=True)
    )


def _near(one: Any, other: Any, bound: float) -> bool:
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return one == other if isinstance(other, PLAIN) else type(one) is type(other)
    if one.shape != other.shape or not one.numel() or not one.is_floating_point():
        return torch.equal(one, other)
    one, other = (
        each.float().reshape(len(each) if each.ndim > 1 else 1, -1) for each in (one, other)
    )
    largest = other.abs().nan_to_num(0, 0, 0).amax(1, keepdim=True)
    same = one.eq(other) | (one.isnan() & other.isnan())
    return bool((same | ((one - other).abs() <= bound * largest)).all())
