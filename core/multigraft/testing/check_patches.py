"""Checks of a backbone that computes some patches alone, as masked autoencoders ask for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from multigraft.contracts.features import VISIBLE, Batch, Patches, patches_of
from multigraft.testing.checks import Skipped
from multigraft.testing.untrained import Grown, computed, distance, grow
from multigraft.testing.workbench import Subject

ROWS = 2


def patches(subject: Subject) -> Iterator[str]:
    """Shapes, order and blindness of the patches that are computed alone."""
    grown = grow(subject.bench, subject.record)
    told = patches_of(grown.module)
    if told is None:
        raise Skipped("it computes no patches alone")
    batch = grown.batch(*range(ROWS))
    planes = _planes(batch, told)
    if not planes:
        high, wide = _extent(told)
        yield f"grid and size make {high} x {wide} pixels, and no array of a batch is so large"
        return
    yield from _all(grown, batch, told)
    yield from _some(grown, batch, told, planes)


def _extent(told: Patches) -> tuple[int, int]:
    return told.grid[0] * told.size[0], told.grid[1] * told.size[1]


def _planes(batch: Batch, told: Patches) -> list[str]:
    """The arrays [B, H, W, ...] that hold pixels."""
    return [name for name, array in batch.items() if array.shape[1:3] == _extent(told)]


def _all(grown: Grown, batch: Batch, told: Patches) -> Iterator[str]:
    """Every patch, in another order than they lie."""
    whole = computed(grown.module, batch).sequence
    count = told.grid[0] * told.grid[1]
    order = torch.from_numpy(np.random.default_rng(0).permutation(count))
    found = computed(grown.module, {**batch, VISIBLE: order.expand(ROWS, -1)}).sequence
    if whole is None or found is None or found.shape != whole.shape:
        given = None if found is None else list(found.shape)
        wanted = [ROWS, told.before + count, grown.module.width]
        yield f"with every patch asked for, sequence is {given}; {wanted} is needed"
        return
    places = torch.cat([torch.arange(told.before), told.before + order])
    if far := distance(whole[:, places], found):
        yield f"every patch in another order lies {far:.2g} (relative) from the whole sequence"


def _some(grown: Grown, batch: Batch, told: Patches, planes: list[str]) -> Iterator[str]:
    """A patch of every row, of its own, whatever the pixels of the others are."""
    visible = torch.arange(ROWS).unsqueeze(1)
    other = {**batch, **{name: _only(batch[name], visible, told) for name in planes}}
    first, second = (computed(grown.module, {**each, VISIBLE: visible}) for each in (batch, other))
    wanted = (ROWS, told.before + 1, grown.module.width)
    if first.sequence is None or first.sequence.shape != wanted:
        yield f"with one patch asked for, sequence is not {list(wanted)}"
    elif second.sequence is not None and distance(first.sequence, second.sequence):
        yield "what it gives of one patch changes with the pixels of the others"
    if first.maps:
        yield "it gives maps of patches that it did not compute"


def _only(pixels: torch.Tensor, visible: torch.Tensor, told: Patches) -> torch.Tensor:
    """The pixels with nothing but each row's visible patch."""
    kept = torch.zeros_like(pixels)
    for row, patch in enumerate(visible[:, 0].tolist()):
        top, left = (
            place * side for place, side in zip(divmod(patch, told.grid[1]), told.size, strict=True)
        )
        where = (row, slice(top, top + told.size[0]), slice(left, left + told.size[1]))
        kept[where] = pixels[where]
    return kept
