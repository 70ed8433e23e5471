"""Check of a backbone's pyramid: the maps that its levels promise, at even and odd sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from multigraft.contracts.features import Level, levels_of
from multigraft.contracts.frames import EXTENT
from multigraft.contracts.reader import Reader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.errors import MultigraftError
from multigraft.testing.checks import Skipped
from multigraft.testing.untrained import Grown, computed, distance, grow
from multigraft.testing.workbench import Subject, trial_of

SIZES = 6
"""Rows among which those of other sizes are tried."""
ODD = 77
"""Pixels a side of the second trial, where the modality's reader has a size."""


def levels(subject: Subject) -> Iterator[str]:
    """Maps of the channels and strides that the module says, beside the same pooled features."""
    grown = grow(subject.bench, subject.record)
    if not levels_of(grown.module):
        raise Skipped("its module has no levels")
    options = dict(trial_of(grown.family).reader)
    if "places" in grown.modality.options:
        options["places"] = True
    yield from _at(grown, options)
    if "size" in grown.modality.options:
        yield from _at(grown, {**options, "size": ODD}, optional=True)


def _at(grown: Grown, options: Mapping[str, Any], *, optional: bool = False) -> Iterator[str]:
    """The sentences on a reader with these options; none where an odd size is refused."""
    spec = grown.family.reader(grown.origin, options)
    if grown.modality.fit is not None:
        spec = grown.modality.fit(grown.raws, spec)
    torch.manual_seed(0)
    try:
        module: Any = grown.family.build(grown.origin, spec).eval()
    except MultigraftError:
        if optional:
            return
        raise
    if getattr(module, "pyramid", None) is not False:
        yield "it has levels, and no pyramid = False beside them that a task could set"
        return
    if wrong := _wrong_order(module.levels):
        yield wrong
        return
    for row in _of_other_sizes(grown, grown.modality.reader(spec)):
        yield from _given(module, row)


def _wrong_order(levels: Sequence[Any]) -> str | None:
    strides = [level.stride for level in levels if isinstance(level, Level)]
    if len(strides) == len(levels) and strides == sorted(set(strides)):
        return None
    return f"its levels are {list(levels)}; each is an mg.Level, the finest first"


def _of_other_sizes(grown: Grown, reader: Reader) -> Iterator[Arrays]:
    """A row of each size, twice in a batch of its own."""
    rows = [reader.read(raw) for raw in grown.raws[:SIZES]]
    found = {tuple(row[EXTENT]) if EXTENT in row else (): row for row in rows}
    for row in found.values():
        yield collate([row, row], reader.fills)


def _given(module: Any, row: Arrays) -> Iterator[str]:
    batch = {name: torch.from_numpy(np.array(each)) for name, each in row.items()}
    module.pyramid = False
    before = computed(module, batch).pooled
    module.pyramid = True
    found = computed(module, batch)
    if distance(before, found.pooled):
        yield "its pooled features are others when its pyramid is asked for"
    if len(found.maps) != len(module.levels):
        yield f"maps are {len(found.maps)}, and levels {len(module.levels)}"
        return
    for number, (level, given) in enumerate(zip(module.levels, found.maps, strict=True)):
        yield from _shaped(number, level, given, row[EXTENT][0] if EXTENT in row else None)


def _shaped(number: int, level: Level, found: Tensor, extent: np.ndarray | None) -> Iterator[str]:
    sides = list(found.shape[2:])
    if extent is not None:
        sides = [-(-int(side) // level.stride) for side in extent[::-1]]
    if list(found.shape) != [2, level.channels, *sides]:
        yield (
            f"maps[{number}] has the shape {list(found.shape)}; {[2, level.channels, *sides]} "
            f"follows from {level}"
        )
