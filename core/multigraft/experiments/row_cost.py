"""Cost of one answer: how long a trained run takes for a row, and how large its weights are."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multigraft.runs.run import Run

ROWS, WARM = 16, 2
"""Rows that are timed, each alone, and those before them that are not."""


def row_ms(run: Run) -> float:
    """The median milliseconds in which one row is read and computed alone, nothing replayed."""
    import numpy as np
    import torch

    from multigraft.data import Epoch, iterate

    rows = run.rows[run.held_out_split or "train"]
    device = next(run.graft.parameters()).device
    numbers = [np.array([place % len(rows)]) for place in range(WARM + ROWS)]
    batches = iterate(rows, numbers, Epoch(seed=run.recipe.seed))
    taken, began = [], time.perf_counter()
    run.graft.eval()
    with torch.inference_mode():
        for _, batch in batches:
            run.graft({name: value.to(device) for name, value in batch.items()})
            now = time.perf_counter()
            taken.append(now - began)
            began = now
    return 1000 * median(taken[WARM:])


def weight_megabytes(run: Run) -> float:
    """The size of all weights in memory, those that are shared counted once."""
    return sum(each.numel() * each.element_size() for each in run.graft.parameters()) / 1e6
