"""Microbatches: batches that do not fit into memory, computed in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.errors import out_of_memory

Result = TypeVar("Result")


def release() -> None:
    """Give cached blocks back to the accelerator."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def split_batch(
    rows: np.ndarray, batch: Batch, microbatches: int
) -> Iterator[tuple[np.ndarray, Batch]]:
    """Split a batch into up to ``microbatches`` of like size, along its first axis.

    A batch of packed rows has fewer sequences than ``rows``; these then go with every microbatch.
    """
    count = batch_size(batch)
    size = -(-count // microbatches)
    for start in range(0, count, size):
        inside = slice(start, start + size)
        yield (
            rows[inside] if len(rows) == count else rows,
            {name: value[inside] for name, value in batch.items()},
        )


def batch_size(batch: Batch) -> int:
    """Count the rows, or packs of rows, of a batch."""
    return len(next(iter(batch.values())))


def halve_on_shortage(
    compute: Callable[[int], Result], microbatches: int, most: int
) -> tuple[Result, int]:
    """Halve microbatches wherever memory runs out: the result of ``compute``, and their number.

    Raises what ``compute`` raised where ``most`` microbatches do not fit either.
    """
    while True:
        try:
            return compute(microbatches), microbatches
        except Exception as error:
            if not out_of_memory(error) or microbatches >= most:
                raise
        microbatches *= 2
        release()
