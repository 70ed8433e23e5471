"""Rows of many requests, computed together: read in parallel, briefly waiting for company."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from multigraft.errors import RowError
from multigraft.records import Answer, Arrays
from multigraft.runtime.serving.faults import Fault, Refusal
from multigraft.runtime.serving.grouping import groups
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.meters import Meters
from multigraft.runtime.serving.model import Model

log = logging.getLogger("multigraft")
LONGEST_RETRY = 60
SMOOTH = 0.2
"""The weight of the latest batch in the running mean of a row's seconds."""

Outcome = Answer | Fault


@dataclass(frozen=True, eq=False)
class _Row:
    """A row that was read, and who waits for it."""

    arrays: Arrays
    outcome: asyncio.Future[Outcome]
    since: float
    """On the loop's clock."""


class Batcher:
    """The queue before one model. All but reading and computing happens on the event loop's thread."""

    def __init__(self, model: Model, limits: Limits, *, readers: Executor, meters: Meters) -> None:
        self.model = model
        self.depth = 0
        """Rows taken and not yet answered."""
        self._limits = limits
        self._readers = readers
        self._meters = meters
        self._worker = ThreadPoolExecutor(1, f"multigraft-{model.name}")
        self._room = asyncio.Semaphore(2 * limits.max_batch)  # decoded rows in memory: computed and next
        self._ready: asyncio.Queue[_Row] = asyncio.Queue()
        self._seconds_per_row = 0.0

    async def answers(self, values: Sequence[Any]) -> list[Outcome]:
        """Answer each value, in order; one that is a Fault already stays it. Raises Refusal where full."""
        self._admit(len(values))
        try:
            return await asyncio.gather(*map(self._answer, values))
        finally:
            self._count(-len(values))

    async def run(self) -> None:
        """Compute batches until cancelled."""
        while True:
            batch = await self._gather()
            for group in groups([self.model.length(row.arrays) for row in batch]):
                if wanted := [batch[index] for index in group if not batch[index].outcome.done()]:
                    await self._compute(wanted)  # and answered, before the longer ones are begun

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

    async def _answer(self, value: Any) -> Outcome:
        if isinstance(value, Fault):
            return value
        async with self._room:
            loop = asyncio.get_running_loop()
            try:
                arrays = await loop.run_in_executor(self._readers, self.model.read, value)
            except RowError as error:
                return Fault(str(error))
            except Exception:  # a reader's own mistake must not take the other items with it
                log.exception("%s: the reader failed", self.model.name)
                return Fault("it could not be read", HTTPStatus.INTERNAL_SERVER_ERROR)
            row = _Row(arrays, loop.create_future(), loop.time())
            self._ready.put_nowait(row)
            return await row.outcome

    async def _gather(self) -> list[_Row]:
        """The next rows: as many as fit, or those that came until the first had waited long enough."""
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
        started = time.perf_counter()
        outcomes = await self._outcomes([row.arrays for row in rows])
        seconds = time.perf_counter() - started
        self._seconds_per_row += SMOOTH * (seconds / len(rows) - self._seconds_per_row)
        self._meters.batch(self.model.name, len(rows), seconds)
        for row, outcome in zip(rows, outcomes, strict=True):
            if not row.outcome.done():  # its request may have ended meanwhile
                row.outcome.set_result(outcome)

    async def _outcomes(self, rows: Sequence[Arrays]) -> list[Outcome]:
        """The rows' answers; where they fail together, each is tried alone."""
        loop = asyncio.get_running_loop()
        try:
            return list(await loop.run_in_executor(self._worker, self.model.answer, rows))
        except Exception:  # whatever the graph or the decoder raises is one row's until shown otherwise
            if len(rows) == 1:
                log.exception("%s: the model failed on a row", self.model.name)
                return [Fault("the model could not answer it", HTTPStatus.INTERNAL_SERVER_ERROR)]
        return [outcome for row in rows for outcome in await self._outcomes([row])]
