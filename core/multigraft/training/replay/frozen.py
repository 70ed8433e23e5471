"""Frozen part of a graft, in front of all that learns: compute it, and go on from its outputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from multigraft.contracts.features import FIELDS, Batch, Features
from multigraft.contracts.plan import blocks_of
from multigraft.models.graft import Graft


class UnfitError(Exception):
    """A backbone whose frozen part cannot be replayed; the text says why."""


class MoreNeededError(UnfitError):
    """A frozen part of which the rest reads more than the output of its last block."""

    def __init__(self, text: str, blocks: frozenset[int]) -> None:
        super().__init__(text)
        self.blocks = blocks
        """The earlier blocks whose outputs it reads too."""


class Frozen(Protocol):
    """A frozen part: what is computed once for a row, and how the rest follows from it."""

    @property
    def kept(self) -> frozenset[int]:
        """The numbers of those earlier results that are needed again too."""
        ...

    @property
    def name(self) -> str:
        """Tells it from other parts of the same backbone."""
        ...

    def compute(self, batch: Batch) -> list[Any]:
        """Its results for a batch; the last is needed again, of those not `kept` the shapes."""
        ...

    def answering(self, results: Sequence[Any]) -> AbstractContextManager[None]:
        """Within it the graft's next pass goes on from the results, and computes nothing of what is
        frozen."""
        ...


@dataclass(frozen=True)
class Whole:
    """A backbone that is frozen altogether: the fields of its features that the head reads."""

    graft: Graft
    fields: tuple[str, ...]
    kept: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The fields by name."""
        return "features:" + ",".join(self.fields)

    def compute(self, batch: Batch) -> list[Any]:
        """One mapping from field to value."""
        features = self.graft.backbone(batch)
        return [{name: getattr(features, name) for name in self.fields}]

    def answering(self, results: Sequence[Any]) -> AbstractContextManager[None]:
        """Let the backbone answer with what was kept of its features."""
        given = {"pooled": torch.empty(0), **results[-1]}
        return _replaced([self.graft.backbone], [_Answer(Features(**given))])


@dataclass(frozen=True)
class Prefix:
    """The first blocks of a backbone.

    In a replay the last of them answers with what it gave once, those before it with zeros of the
    right shape that take no memory, so that whatever stands between blocks still runs; of a
    pyramid's levels each block that gives one is kept too.
    """

    graft: Graft
    depth: int
    kept: frozenset[int] = frozenset()

    @property
    def name(self) -> str:
        """The number of blocks, and those kept besides the last."""
        more = ",".join(map(str, sorted(self.kept)))
        return f"blocks:{self.depth}+{more}" if more else f"blocks:{self.depth}"

    def compute(self, batch: Batch) -> list[Any]:
        """Compute each block's output; nothing behind the last one is computed."""
        given: dict[int, Any] = {}
        blocks = self._blocks()
        keepers = [
            _Keeper(block.forward, given, index, self.depth) for index, block in enumerate(blocks)
        ]
        with _replaced(blocks, keepers):
            try:
                self.graft.backbone(batch)
            except _Reached:
                return [given[index] for index in range(self.depth)]
        raise UnfitError(f"block {self.depth - 1} is not called in a forward pass")

    def answering(self, results: Sequence[Any]) -> AbstractContextManager[None]:
        """Let each block answer with its result."""
        return _replaced(self._blocks(), [_Answer(result) for result in results])

    def _blocks(self) -> list[nn.Module]:
        blocks: Any = self.graft.backbone.blocks
        return list(blocks)[: self.depth]


class _Reached(BaseException):
    """The last block of a prefix has answered."""


@dataclass(frozen=True)
class _Keeper:
    """A block's forward that keeps what it gives, and ends the pass behind the last one.

    What hooks of the network's own make of it is not kept, since they act on a replayed answer too.
    """

    forward: Callable[..., Any]
    given: dict[int, Any]
    index: int
    depth: int

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.index in self.given:
            raise UnfitError(f"block {self.index} is called more than once in a forward pass")
        self.given[self.index] = self.forward(*args, **kwargs)
        if self.index == self.depth - 1:
            missing = next(
                (number for number in range(self.depth) if number not in self.given), None
            )
            if missing is not None:
                raise UnfitError(f"block {missing} is not called before block {self.index}")
            raise _Reached
        return self.given[self.index]


class _Answer:
    """A block's forward that gives what is known, whatever it is called with."""

    def __init__(self, result: Any) -> None:
        self._results = [result]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._results:
            raise UnfitError("a block is called more than once in a forward pass")
        return self._results.pop()


@contextmanager
def _replaced(
    blocks: Sequence[nn.Module], forwards: Sequence[Callable[..., Any]]
) -> Iterator[None]:
    """Let each block compute with another forward, and then with its own again."""
    before = [block.__dict__.get("forward") for block in blocks]
    for block, forward in zip(blocks, forwards, strict=True):
        block.__dict__["forward"] = forward
    try:
        yield
    finally:
        for block, own in reversed(list(zip(blocks, before, strict=True))):
            if own is None:
                block.__dict__.pop("forward", None)
            else:  # such as gradient checkpointing's
                block.__dict__["forward"] = own


def frozen_part(graft: Graft, depth: int, reads: Collection[str]) -> Frozen | None:
    """Take the first ``depth`` blocks, or all (see `Plan.frozen`); None for no block.

    Of a decoder's blocks, which a head calls, none is replayed.

    ``reads`` are the fields of `Features` that the head reads.
    """
    blocks: Any = graft.backbone.blocks
    if depth > len(blocks_of(graft)):
        return Whole(graft, tuple(name for name in FIELDS if name in reads))
    depth = min(depth, len(list(blocks)))
    return Prefix(graft, depth) if depth else None


class Watch:
    """Reads: fields of the features by the head, arrays of the batch by head and objective."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.arrays: set[str] = set()

    def features(self, features: Features) -> Features:
        """The same features, watched."""
        watched = _WatchedFeatures(**{name: getattr(features, name) for name in FIELDS})
        watched.__dict__["_seen"] = self.fields
        return watched

    def batch(self, batch: Batch) -> Batch:
        """The same batch, watched."""
        return _WatchedBatch(batch, self.arrays)


class _WatchedFeatures(Features):
    def __getattribute__(self, name: str) -> Any:
        seen = object.__getattribute__(self, "__dict__").get("_seen")
        if seen is not None and name in FIELDS:
            seen.add(name)
        return object.__getattribute__(self, name)


class _WatchedBatch(dict[str, Tensor]):
    def __init__(self, batch: Batch, seen: set[str]) -> None:
        super().__init__(batch)
        self._seen = seen

    def __getitem__(self, name: str) -> Tensor:
        self._seen.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        self._seen.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self._seen.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        self._seen.update(super().keys())
        return super().__iter__()

    def items(self) -> Any:
        self._seen.update(super().keys())
        return super().items()

    def values(self) -> Any:
        self._seen.update(super().keys())
        return super().values()
