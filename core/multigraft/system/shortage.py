"""Out of memory while a run is at work: what to tell a person."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from multigraft.errors import OutOfMemory, first_line, out_of_memory


@contextmanager
def explaining_shortage() -> Iterator[None]:
    """Turn an allocation that failed, wherever it was, into an OutOfMemory that says what to do."""
    try:
        yield
    except OutOfMemory:
        raise
    except BaseException as error:
        if not out_of_memory(error):
            raise
        raise OutOfMemory(
            f"memory ran out ({first_line(error)}); lower training.batch_size, "
            "evaluation.batch_size or training.workers, cut rows shorter with the reader's "
            "options, or take a smaller backbone"
        ) from error
