"""Dynamic batching: rows of many requests, read first, wait briefly and are computed together."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import RowError
from multigraft.runtime.read_value import ReadValue
from multigraft.runtime.serving.faults import Fault, Refusal
from multigraft.runtime.serving.grouping import groups
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.memory_budget import Share
from multigraft.runtime.serving.metrics import Meters
from multigraft.runtime.serving.model import Model
from multigraft.runtime.serving.reading import SMOOTH, Read, Reading

log = logging.getLogger("multigraft")
LONGEST_RETRY = 60

Outcome = Answer | Fault
V = TypeVar("V")


@dataclass(frozen=True, eq=False)
class _Row:
    """A row that was read, and who waits for it."""

    value: ReadValue
    length: int
    """As its reader counts."""
    share: Share
    """Of the memory, given back once it is computed, whether or not somebody still waits."""
    outcome: asyncio.Future[Outcome]
    since: float
    """On the loop's clock."""


class Batcher:
    """Queue before one model: threads read and compute, the event loop does the rest."""

    def __init__(self, model: Model, limits: Limits, *, reading: Reading, meters: Meters) -> None:
        self.model = model
        self.depth = 0
        """Rows taken and not yet answered."""
        self.streams = asyncio.Semaphore(limits.streams)
        """Texts that may be told while they are written."""
        self._limits = limits
        self._reading = reading
        self._meters = meters
        self._worker = ThreadPoolExecutor(1, f"multigraft-{model.name}")
        # decoded rows in memory: computed, next, read
        self._room = asyncio.Semaphore(3 * limits.max_batch)
        self._ready: asyncio.Queue[_Row] = asyncio.Queue()
        self._seconds_per_row = 0.0

    async def answers(self, values: Sequence[Any], asked: Mapping[str, Any]) -> list[Outcome]:
        """Answer each value, in order; one that is a Fault already stays it. Raises Refusal where
        full. ``asked`` is as `Model.check` gives it."""
        with self.admitted(len(values)):
            numbered = enumerate(values)
            return await asyncio.gather(*(self._answer(*each, asked) for each in numbered))

    @contextmanager
    def admitted(self, count: int) -> Iterator[None]:
        """Count rows as taken until their end. Raises Refusal where there is no room for them."""
        self._admit(count)
        try:
            yield
        finally:
            self._count(-count)

    async def read(self, value: Any) -> tuple[Read, Share]:
        """Read a value; give it, and the memory it holds until the caller gives that back."""
        return await self._reading.read(value)

    def compute(self, function: Callable[..., V], *given: Any) -> asyncio.Future[V]:
        """Have the worker, which does one thing at a time, do this in its turn."""
        return asyncio.get_running_loop().run_in_executor(self._worker, function, *given)

    def submit(self, function: Callable[..., V], *given: Any) -> Future[V]:
        """The same, asked for by another thread than the event loop's."""
        return self._worker.submit(function, *given)

    async def run(self) -> None:
        """Read values and compute batches until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reading.run())
            tasks.create_task(self._batches(tasks))

    async def _batches(self, tasks: asyncio.TaskGroup) -> None:
        """Put one batch together while the one before is computed: the worker need not wait."""
        before: list[asyncio.Task[None]] = []
        while True:
            batch = await self._gather()
            parts = groups([row.length for row in batch])
            begun = [
                tasks.create_task(self._compute([batch[index] for index in part])) for part in parts
            ]
            await asyncio.gather(*before)
            before = begun

    def close(self) -> None:
        """Let go of the worker; what it has not begun is dropped."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _admit(self, count: int) -> None:
        if self.depth + count > self._limits.queue:
            seconds = math.ceil(self.depth * self._seconds_per_row)
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{self.depth} of {self._limits.queue} rows are waiting; ask again later",
                {"Retry-After": str(min(max(1, seconds), LONGEST_RETRY))},
            )
        self._count(count)

    def _count(self, change: int) -> None:
        self.depth += change
        self._meters.depth.labels(self.model.name).set(self.depth)

    async def _answer(self, place: int, value: Any, asked: Mapping[str, Any]) -> Outcome:
        if isinstance(value, Fault):
            return value
        async with self._room:
            read, share = await self.read(value)
            if isinstance(read, Fault):
                return read
            loop = asyncio.get_running_loop()
            length = self._length(read)
            if isinstance(length, Fault):
                share.give_back()
                return length
            outcome: asyncio.Future[Outcome] = loop.create_future()
            whole = ReadValue(value, (read,), asked, place=place, gone=outcome.done)
            row = _Row(whole, length, share, outcome, loop.time())
            self._ready.put_nowait(row)
            return await row.outcome

    def _length(self, row: Arrays) -> int | Fault:
        """A row's length; a reader's own mistake must not end the queue of all."""
        try:
            return self.model.length(row)
        except Exception:
            log.exception("%s: the reader could not measure a row", self.model.name)
            return Fault("it could not be measured", HTTPStatus.INTERNAL_SERVER_ERROR)

    async def _gather(self) -> list[_Row]:
        """Gather the next rows: as many as fit, or as came while the first waited."""
        batch = [await self._ready.get()]
        deadline = batch[0].since + self._limits.wait_ms / 1000
        while len(batch) < self._limits.max_batch:
            if self._ready.empty():
                try:
                    async with asyncio.timeout_at(deadline):
                        batch.append(await self._ready.get())
                except TimeoutError:
                    break
            else:
                batch.append(self._ready.get_nowait())
        return batch

    async def _compute(self, rows: Sequence[_Row]) -> None:
        """Answer rows together, once the worker is free; shorter rows of a batch first."""
        try:
            answered = await self.compute(self._outcomes, rows)
        finally:
            for row in rows:
                row.share.give_back()
        for row, outcome in answered:
            if not row.outcome.done():  # its request may have ended meanwhile
                row.outcome.set_result(outcome)

    def _outcomes(self, rows: Sequence[_Row]) -> list[tuple[_Row, Outcome]]:
        """The answers of those rows that are still waited for."""
        wanted = [row for row in rows if not row.outcome.done()]
        if not wanted:
            return []
        started = time.perf_counter()
        found = self._answers([row.value for row in wanted])
        seconds = time.perf_counter() - started
        self._seconds_per_row += SMOOTH * (seconds / len(wanted) - self._seconds_per_row)
        self._meters.batch(self.model.name, len(wanted), seconds)
        return list(zip(wanted, found, strict=True))

    def _answers(self, values: Sequence[ReadValue]) -> list[Outcome]:
        """The values' answers; where they fail together, each is tried alone."""
        try:
            return list(self.model.answer(values))
        except RowError as error:  # of what lies behind a value's first window
            if len(values) == 1:
                return [Fault(str(error))]
        except (
            Exception
        ):  # whatever the graph or the decoder raises is one row's until shown otherwise
            if len(values) == 1:
                log.exception("%s: the model failed on a row", self.model.name)
                return [Fault("the model could not answer it", HTTPStatus.INTERNAL_SERVER_ERROR)]
        return [outcome for value in values for outcome in self._answers([value])]
