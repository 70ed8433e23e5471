"""Sample rows: those that graphs are checked, timed and calibrated on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.data import Rows
from multigraft.runs.run import Run


def spread(rows: Rows, count: int) -> list[int]:
    """Numbers of at most ``count`` rows from the shortest to the longest, evenly."""
    order = np.argsort(rows.lengths, kind="stable")
    steps = np.linspace(0, len(order) - 1, min(count, len(order)))
    return [int(order[round(step)]) for step in steps]


def middling(rows: Rows) -> Arrays:
    """A row of middling length, as the reader alone gives it."""
    chosen = spread(rows, 3)
    return rows.read(chosen[len(chosen) // 2])


def calibration(run: Run, *, size: int = 8) -> Iterator[Arrays]:
    """Batches of training rows for calibration, drawn with the seed and read as needed."""
    rows = run.rows["train"]
    rng = np.random.default_rng(run.recipe.seed)
    chosen = rng.permutation(len(rows))[: run.recipe.export.calibration]
    chosen = chosen[np.argsort(rows.lengths[chosen], kind="stable")]
    for start in range(0, len(chosen), size):
        batch = [rows.read(index) for index in chosen[start : start + size].tolist()]
        yield collate(batch, run.reader.fills)
