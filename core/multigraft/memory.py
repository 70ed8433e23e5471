"""Batches that do not fit into memory, computed in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

from multigraft.features import Batch

Result = TypeVar("Result")


def out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on an accelerator or on the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def release() -> None:
    """Give cached blocks back to the accelerator."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_parts(rows: np.ndarray, batch: Batch, parts: int) -> Iterator[tuple[np.ndarray, Batch]]:
    """The batch in up to ``parts`` parts of like size, along its first axis.

    A batch of packed rows has fewer sequences than ``rows``; these then go with every part.
    """
    count = batch_size(batch)
    size = -(-count // parts)
    for start in range(0, count, size):
        part = slice(start, start + size)
        yield (
            rows[part] if len(rows) == count else rows,
            {name: value[part] for name, value in batch.items()},
        )


def batch_size(batch: Batch) -> int:
    """How many rows, or packs of rows, a batch has."""
    return len(next(iter(batch.values())))


def halving(compute: Callable[[int], Result], parts: int, most: int) -> tuple[Result, int]:
    """``compute(parts)`` with twice as many parts wherever memory ran out: the result, and the parts it took.

    Raises what ``compute`` raised where ``most`` parts do not fit either.
    """
    while True:
        try:
            return compute(parts), parts
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error) or parts >= most:
                raise
        parts *= 2
        release()
