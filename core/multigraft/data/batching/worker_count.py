"""How many processes should read rows on this machine."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from multigraft.data.batching.loader import Epoch, iterate
from multigraft.data.rows import Rows
from multigraft.system.cpu import usable_cores

SAMPLE = 8
"""Rows that are read to see how long it takes; as many before them, to warm up."""
HIDDEN = 5e-3
"""Seconds a batch that the thread of `read_ahead` hides behind any step."""
STEP = 20e-3
"""Seconds a step takes on an accelerator, at a guess on the short side."""
MOST = 8


def choose_workers(
    rows: Rows,
    epoch: Epoch,
    *,
    batch_size: int,
    accelerated: bool,
    cores: int | None = None,
    names: Collection[str] | None = None,
) -> int:
    """The processes that keep up with a step: 0 where a thread does, or where no core is to spare.

    A few rows are read as training reads them, so it counts whether they are decoded already and
    what augmentation costs. A step that is not ``accelerated`` uses the cores itself and leaves a
    quarter. ``cores`` are this process's, unless given; ``names`` are the arrays that are read, as
    in `iterate`.
    """
    cores = usable_cores() if cores is None else cores
    spare = cores - 1 if accelerated else cores // 4
    if not len(rows) or spare < 1:
        return 0
    chosen = np.linspace(0, len(rows) - 1, 2 * SAMPLE).astype(np.int64)
    waits: list[float] = []
    loaded = iterate(
        rows,
        [chosen[::2], chosen[1::2]],
        epoch,
        names=names,
        waits=waits,
    )
    for _ in loaded:
        pass
    seconds = waits[-1] / SAMPLE * batch_size
    return 0 if seconds < HIDDEN else min(MOST, spare, math.ceil(seconds / STEP))
