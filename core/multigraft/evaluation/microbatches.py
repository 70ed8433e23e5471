"""Microbatches: batches that do not fit into memory, computed in slices."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch

from multigraft.contracts.features import Batch
from multigraft.errors import RunError, first_line

Result = TypeVar("Result")


SAYS = re.compile(
    r"DefaultCPUAllocator|can(?:no|')t allocate memory|out of memory|bad_alloc|bad "
    r"allocation|unable to mmap"
    r"|failed to map segment"
    r"|^could not (?:create|execute) a (?:primitive|memory(?: object)?)$",
    re.IGNORECASE | re.MULTILINE,
)
"""What torch, oneDNN, C++ and the loader say where an allocation fails.

oneDNN says no more than what it could not make; what it cannot compute is a "primitive descriptor".
"""


def out_of_memory(error: BaseException) -> bool:
    """Tell a failed allocation, on an accelerator or on the CPU, from other errors."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    return isinstance(error, RuntimeError | ImportError) and SAYS.search(str(error)) is not None


@contextmanager
def explaining_shortage() -> Iterator[None]:
    """Turn an allocation that failed, wherever it was, into a RunError that says what to do."""
    try:
        yield
    except Exception as error:
        if not out_of_memory(error):
            raise
        raise RunError(
            f"memory ran out ({first_line(error)}); lower training.batch_size, "
            "evaluation.batch_size or training.workers, cut rows shorter with the reader's "
            "options, or take a smaller backbone"
        ) from error


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
