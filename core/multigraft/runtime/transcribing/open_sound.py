"""A long sound, open: what its reader raises is the sound's error, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from multigraft.contracts.reader import LongReader, Stretch, Stretches
from multigraft.contracts.readers import row_errors


@contextmanager
def opened(reader: LongReader, raw: Any) -> Iterator[Callable[[float], Stretch | None]]:
    """`Stretches.at` of a raw value. Raises RowError."""
    with ExitStack() as stack:
        with row_errors():
            sound = stack.enter_context(reader.stretches(raw))
        yield partial(_at, sound)


def _at(sound: Stretches, start: float) -> Stretch | None:
    with row_errors():
        return sound.at(start)
