"""Reader threads for values of many requests; short ones go together, to save hand-overs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from multigraft.contracts.types import Arrays
from multigraft.errors import RowError
from multigraft.runtime.length_batches import nbytes
from multigraft.runtime.serving.faults import Fault
from multigraft.runtime.serving.malloc_trim import LARGE, trim
from multigraft.runtime.serving.memory_budget import Room, Share

log = logging.getLogger("multigraft")
SLICE = 0.002
"""Seconds that a thread should read before it hands over what it has."""
SMOOTH = 0.2
"""The weight of the latest values in the running mean of a value's seconds."""

Read = Arrays | Fault


@dataclass(eq=False)
class _Unread:
    """A value, what is to be made of it, and the memory that this may take."""

    value: Any
    found: asyncio.Future[Read]
    share: Share
    begun: bool = False
    """Whether a thread reads it, which cannot be stopped: its memory is held until the end."""


class Reading:
    """Queue before a reader: `workers` slices are read at a time, within a room of memory."""

    def __init__(
        self,
        read: Callable[[Any], Arrays],
        memory: Callable[[Any], int],
        *,
        threads: Executor,
        workers: int,
        room: Room,
        quick: bool,
        hold: bool = False,
    ) -> None:
        """``read`` and ``memory`` are called by ``threads``; ``read`` may raise RowError.

        ``quick``: ``memory`` looks into no file, so that it is asked at once. ``hold``:
        the value is read again to be answered, so that what reading takes is held until then.
        """
        self._reader = read
        self._memory = memory
        self._quick = quick
        self._hold = hold
        self._room = room
        self._threads = threads
        self._workers = workers
        self._waiting: asyncio.Queue[_Unread] = asyncio.Queue()
        self._seconds = SLICE
        """A value takes, as far as is known."""

    async def read(self, value: Any) -> tuple[Read, Share]:
        """Read a value; give it, and the memory it holds until the caller gives that back."""
        loop = asyncio.get_running_loop()
        need = (
            self._memory(value)
            if self._quick
            else await loop.run_in_executor(self._threads, self._memory, value)
        )
        unread = _Unread(value, loop.create_future(), await self._room.take(need))
        self._waiting.put_nowait(unread)
        try:
            found = await unread.found
        except asyncio.CancelledError:
            if not (unread.begun and unread.found.cancelled()):  # else a thread is still at it
                unread.share.give_back()
            raise
        if isinstance(found, Fault) or not self._hold:
            unread.share.keep(0 if isinstance(found, Fault) else nbytes(found))
        return found, unread.share

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
            # the others' requests have ended
            wanted = [each for each in taken if not each.found.done()]
            if not wanted:
                continue
            for each in wanted:
                each.begun = True
            read, seconds = await loop.run_in_executor(self._threads, self._slice, wanted)
            self._seconds += SMOOTH * (seconds / len(wanted) - self._seconds)
            for each, found in zip(wanted, read, strict=True):
                if each.found.done():
                    each.share.give_back()
                else:
                    each.found.set_result(found)

    def _slice(self, wanted: Sequence[_Unread]) -> tuple[list[Read], float]:
        """What the values are, and the seconds that took."""
        began = time.perf_counter()
        read = [self._one(each.value) for each in wanted]
        if max(each.share.size for each in wanted) >= LARGE:
            trim()
        return read, time.perf_counter() - began

    def _one(self, value: Any) -> Read:
        try:
            return self._reader(value)
        except RowError as error:
            return Fault(str(error))
        except Exception:  # a reader's own mistake must not take the other values with it
            log.exception("the reader failed")
            return Fault("it could not be read", HTTPStatus.INTERNAL_SERVER_ERROR)
