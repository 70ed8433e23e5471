"""Values of many requests, read by threads: short ones together, since a hand-over costs more than a text."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from multigraft.errors import RowError
from multigraft.records import Arrays
from multigraft.runtime.serving.faults import Fault

log = logging.getLogger("multigraft")
SLICE = 0.002
"""Seconds that a thread should read before it hands over what it has."""
SMOOTH = 0.2
"""The weight of the latest values in the running mean of a value's seconds."""

Read = Arrays | Fault


@dataclass(frozen=True, eq=False)
class _Unread:
    """A value, and what is to be made of it."""

    value: Any
    found: asyncio.Future[Read]


class Reading:
    """The queue before a reader, of which `workers` slices are read at a time."""

    def __init__(self, read: Callable[[Any], Arrays], *, threads: Executor, workers: int) -> None:
        """``read`` is called by ``threads``; it may raise RowError."""
        self._reader = read
        self._threads = threads
        self._workers = workers
        self._waiting: asyncio.Queue[_Unread] = asyncio.Queue()
        self._seconds = SLICE
        """A value takes, as far as is known."""

    async def read(self, value: Any) -> Read:
        """What the reader makes of a value."""
        unread = _Unread(value, asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(unread)
        return await unread.found

    async def run(self) -> None:
        """Read until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._workers):
                tasks.create_task(self._work())

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            taken = [await self._waiting.get()]
            while (len(taken) + 1) * self._seconds <= SLICE and not self._waiting.empty():
                taken.append(self._waiting.get_nowait())
            wanted = [each for each in taken if not each.found.done()]  # the others' requests have ended
            if not wanted:
                continue
            values = [each.value for each in wanted]
            read, seconds = await loop.run_in_executor(self._threads, self._slice, values)
            self._seconds += SMOOTH * (seconds / len(values) - self._seconds)
            for each, found in zip(wanted, read, strict=True):
                if not each.found.done():
                    each.found.set_result(found)

    def _slice(self, values: Sequence[Any]) -> tuple[list[Read], float]:
        """What the values are, and the seconds that took."""
        began = time.perf_counter()
        return [self._one(value) for value in values], time.perf_counter() - began

    def _one(self, value: Any) -> Read:
        try:
            return self._reader(value)
        except RowError as error:
            return Fault(str(error))
        except Exception:  # a reader's own mistake must not take the other values with it
            log.exception("the reader failed")
            return Fault("it could not be read", HTTPStatus.INTERNAL_SERVER_ERROR)
