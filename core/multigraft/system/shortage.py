"""Out of memory: how torch, oneDNN, C++, Rust and the loader say it, and what to tell a person."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from multigraft.errors import RunError, first_line

SAYS = re.compile(
    r"DefaultCPUAllocator|can(?:no|')t allocate memory|out of memory|bad_alloc|bad allocation"
    r"|unable to mmap|failed to map segment|can't start new thread|ThreadPoolBuildError"
    r"|^could not (?:create|execute) a (?:primitive|memory(?: object)?)$",
    re.IGNORECASE | re.MULTILINE,
)
"""What libraries say where an allocation fails, or a thread finds no room for its stack.

oneDNN says no more than what it could not make; what it cannot compute is a "primitive descriptor".
"""
LOST = "error return without exception set"
"""What Python says where it found no room for the MemoryError either, as in an import."""
NATIVE = ("OutOfMemoryError", "PanicException")
"""Errors of torch and of Rust by their names, which need neither; a panic is no Exception."""


def out_of_memory(error: BaseException) -> bool:
    """Tell a failed allocation, on an accelerator or on the CPU, from other errors."""
    if isinstance(error, MemoryError) or type(error).__name__ == NATIVE[0]:
        return True
    if isinstance(error, SystemError):
        return str(error) == LOST
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    speaks = isinstance(error, RuntimeError | ImportError) or type(error).__name__ in NATIVE
    return speaks and SAYS.search(str(error)) is not None


@contextmanager
def explaining_shortage() -> Iterator[None]:
    """Turn an allocation that failed, wherever it was, into a RunError that says what to do."""
    try:
        yield
    except BaseException as error:
        if not out_of_memory(error):
            raise
        raise RunError(
            f"memory ran out ({first_line(error)}); lower training.batch_size, "
            "evaluation.batch_size or training.workers, cut rows shorter with the reader's "
            "options, or take a smaller backbone"
        ) from error
