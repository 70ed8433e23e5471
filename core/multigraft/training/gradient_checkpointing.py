"""Gradient checkpointing (Chen et al. 2016): recompute a block's inside for its gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.checkpoint import checkpoint

from multigraft.models.graft import Graft


@contextmanager
def gradient_checkpointing(graft: Graft) -> Iterator[None]:
    """Keep only the inputs of blocks that learn, and recompute the rest for their gradient.

    About a third more time, for memory that grows with one block instead of all of them. A branch
    that writes keeps all: its blocks are called twice with a state that they add to.
    """
    backbones: Any = [
        each for each in graft.branches.values() if not getattr(each, "writes", False)
    ] or [graft.backbone]
    blocks = [block for backbone in backbones for block in backbone.blocks]
    for block in blocks:
        block.__dict__["forward"] = _Checkpointed(block, block.forward)
    try:
        yield
    finally:
        for block in blocks:
            block.__dict__.pop("forward", None)


class _Checkpointed:
    """A block's forward that keeps only its inputs where the block learns."""

    def __init__(self, block: Any, forward: Any) -> None:
        self._block = block
        self._forward = forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not (self._block.training and any(p.requires_grad for p in self._block.parameters())):
            return self._forward(*args, **kwargs)
        return checkpoint(self._forward, *args, use_reentrant=False, **kwargs)
