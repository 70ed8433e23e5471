"""Checks of a backbone's forward pass: what it gives, and that rows do not mix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from multigraft.contracts.features import Features
from multigraft.contracts.plan import block_of, blocks_of
from multigraft.models.graft import Graft
from multigraft.testing.untrained import Grown, computed, distance, grow
from multigraft.testing.workbench import Subject

MEMBERS = ("width", "blocks", "head_bias", "forward", "save")
OUTSIDE = 8
"""Parameters that may follow the last block."""


def built(subject: Subject) -> Iterator[str]:
    """The module has the members of a backbone, and follows from torch's seed."""
    grown = _grown(subject)
    module = grown.module
    if not isinstance(module, nn.Module):
        yield f"build gave {type(module).__name__}; an nn.Module is needed"
        return
    missing = [name for name in MEMBERS if not hasattr(module, name)]
    if missing:
        yield f"the module lacks {', '.join(missing)}"
        return
    if not isinstance(module.width, int) or module.width < 1:
        yield f"width is {module.width!r}; it is the number of features, a whole number"
    if not isinstance(module.head_bias, bool):
        yield f"head_bias is {module.head_bias!r}; it is True or False"
    again = grown.again(seed=0).state_dict()
    for name, value in module.state_dict().items():
        if name not in again or not torch.equal(value, again[name]):
            yield f"built twice at the same seed, {name!r} differs"
            return


def features(subject: Subject) -> Iterator[str]:
    """Shapes, types and numbers of the features of three rows."""
    grown = _grown(subject)
    found = computed(grown.module, grown.batch(0, 1, 2))
    if not isinstance(found, Features):
        yield f"forward gave {type(found).__name__}; mg.Features is needed"
        return
    yield from _shaped("pooled", found.pooled, (3, grown.module.width))
    if found.sequence is not None:
        yield from _shaped(
            "sequence", found.sequence, (3, found.sequence.shape[1], grown.module.width)
        )
        if found.mask is not None:
            yield from _shaped("mask", found.mask, tuple(found.sequence.shape[:2]), torch.bool)
            yield from _as_many(grown, found.mask)
    for index, level in enumerate(found.maps):
        if level.ndim not in (3, 4) or len(level) != 3:
            yield (
                f"maps[{index}] has the shape {list(level.shape)}; "
                "[B, C, H, W] or [B, C, T] is needed"
            )
    if distance(found.pooled[0], found.pooled[1]) == 0:
        yield "two different rows have the same pooled features"


def _shaped(
    name: str, found: Tensor, expected: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> Iterator[str]:
    if tuple(found.shape) != expected:
        yield f"{name} has the shape {list(found.shape)}; {list(expected)} is needed"
    if found.dtype != dtype:
        yield f"{name} is {found.dtype}; {dtype} is needed"
    elif not torch.isfinite(found).all():
        yield f"{name} holds numbers that are not finite"


def _as_many(grown: Grown, mask: Tensor) -> Iterator[str]:
    """Rows have the positions that ``hop`` and ``field`` promise, where the module has them."""
    hop, field = (getattr(grown.module, name, None) for name in ("hop", "field"))
    if hop is None or field is None:
        return
    for index, real in enumerate(mask.sum(1).tolist()):
        units = grown.reader.length(grown.reader.read(grown.raws[index]))
        expected = (units - field) // hop + 1
        if real != expected:
            yield (
                f"row {index} of {units} units has {real} positions; {expected} follow from hop "
                f"{hop} and field {field}"
            )
            return


def padding(subject: Subject) -> Iterator[str]:
    """Rows in a padded batch give what each gives alone, in every field of the features."""
    grown = _grown(subject)
    together = computed(grown.module, grown.batch(0, 1, 2, 3, 4))
    for index in range(5):
        alone = computed(grown.module, grown.batch(index))
        if far := distance(alone.pooled[0], together.pooled[index]):
            yield f"row {index}: pooled lies {far:.2g} (relative) from what the row gives alone"
            return
        yield from _same_positions(index, alone, together)
        yield from _same_maps(index, alone, together)


def _same_positions(index: int, alone: Features, together: Features) -> Iterator[str]:
    if (
        alone.sequence is None
        or together.sequence is None
        or alone.mask is None
        or together.mask is None
    ):
        return
    real = int(alone.mask[0].sum())
    if int(together.mask[index].sum()) != real:
        yield (
            f"row {index}: the mask has {int(together.mask[index].sum())} real positions, "
            f"alone {real}"
        )
        return
    ours, theirs = alone.sequence[0][alone.mask[0]], together.sequence[index][together.mask[index]]
    if far := distance(ours, theirs):
        yield f"row {index}: sequence lies {far:.2g} (relative) from what the row gives alone"


def _same_maps(index: int, alone: Features, together: Features) -> Iterator[str]:
    """Maps of a padded row begin with what the row gives alone."""
    for number, (ours, theirs) in enumerate(zip(alone.maps, together.maps, strict=True)):
        corner = theirs[index][tuple(map(slice, ours[0].shape))]
        if corner.shape != ours[0].shape or (far := distance(ours[0], corner)):
            yield (
                f"row {index}: maps[{number}] lies "
                + (f"{far:.2g} (relative)" if corner.shape == ours[0].shape else "in another shape")
                + " from what the row gives alone"
            )
            return


def steady(subject: Subject) -> Iterator[str]:
    """In evaluation mode nothing is drawn, kept, or written into what was given."""
    grown = _grown(subject)
    batch = grown.batch(0, 1)
    given = {name: value.clone() for name, value in batch.items()}
    before = {name: value.clone() for name, value in grown.module.state_dict().items()}
    torch.manual_seed(1)
    first = computed(grown.module, batch).pooled
    torch.manual_seed(2)
    second = computed(grown.module, batch).pooled
    if not torch.equal(first, second):
        yield "the same batch gives other features at another seed, in evaluation mode"
    for name, value in given.items():
        if not torch.equal(value, batch[name]):
            yield f"forward writes into the batch: {name!r} has changed"
    for name, value in grown.module.state_dict().items():
        if not torch.equal(value, before[name]):
            yield f"forward changes {name!r} of the module, in evaluation mode"


def blocks(subject: Subject) -> Iterator[str]:
    """Check that blocks are parts of the module, run in order, and hold most of the parameters."""
    grown = _grown(subject)
    module, parts = grown.module, list(grown.module.blocks)
    inside = {id(each): place for place, each in enumerate(module.modules())}
    if len(parts) < 2:
        yield f"there are {len(parts)} blocks; two are the least that can be told apart"
    graft = Graft(module, nn.Identity())
    every = blocks_of(graft)
    if any(id(part) not in inside for part in every):
        yield "a block is no part of the module"
        return
    places = [inside[id(part)] for part in every]
    if places != sorted(places):
        yield "the blocks are not in the order in which the module registers them"
    yield from _run_in_order(grown, parts)
    depth, numbers = len(every), block_of(graft)
    if empty := set(range(depth)) - set(numbers.values()):
        yield f"no parameter belongs to block {min(empty)}"
    outside = [name.removeprefix("backbone.") for name, block in numbers.items() if block == depth]
    if len(outside) > OUTSIDE:
        yield (
            f"{len(outside)} parameters follow the last block, as {outside[0]}; "
            "blocks are to cover them"
        )


def _run_in_order(grown: Grown, parts: list[nn.Module]) -> Iterator[str]:
    """Each block runs once, in order, and no later one writes into what it gave."""
    calls: list[int] = []
    given: dict[int, list[Tensor]] = {}
    kept: list[tuple[int, Tensor, Tensor]] = []

    def begins(number: int) -> None:
        kept.extend((number - 1, tensor, tensor.clone()) for tensor in given.get(number - 1, ()))

    def ends(number: int, output: Any) -> None:
        calls.append(number)
        given[number] = [each for each in pytree.tree_leaves(output) if isinstance(each, Tensor)]

    hooks = []
    for number, part in enumerate(parts):
        hooks.append(part.register_forward_pre_hook(lambda _module, _args, n=number: begins(n)))
        hooks.append(
            part.register_forward_hook(lambda _module, _args, output, n=number: ends(n, output))
        )
    try:
        computed(grown.module, grown.batch(0, 1))
    finally:
        for hook in hooks:
            hook.remove()
    if calls != list(range(len(parts))):
        yield f"the blocks run as {calls}; each is to run once, in the order of `blocks`"
    written = [number for number, tensor, before in kept if not torch.equal(tensor, before)]
    if written:
        yield f"what block {written[0]} gave is written over by a later block"


def _grown(subject: Subject) -> Grown:
    return grow(subject.bench, subject.record)
