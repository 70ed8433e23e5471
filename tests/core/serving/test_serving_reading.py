"""Values of many requests are read by threads: short ones together, slow ones side by side."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import numpy as np
import pytest

from multigraft.errors import RowError
from multigraft.records import Arrays
from multigraft.runtime.serving.faults import Fault
from multigraft.runtime.serving.reading import Read, Reading


class Threads(ThreadPoolExecutor):
    """Threads that count what they are handed."""

    handed = 0

    def submit(self, *arguments: Any, **keywords: Any) -> Future[Any]:
        self.handed += 1
        return super().submit(*arguments, **keywords)


def read(value: str) -> Arrays:
    if value == "bad":
        raise RowError("it is bad")
    if value == "worse":
        raise ZeroDivisionError
    return {"length": np.asarray(len(value))}


def reading(
    scene: Callable[[Reading, Threads], Coroutine[Any, Any, None]],
    *,
    reader: Callable[[Any], Arrays] = read,
    workers: int = 2,
) -> None:
    """Act a scene with a reading that runs."""

    async def main() -> None:
        with Threads(workers) as threads:
            made = Reading(reader, threads=threads, workers=workers)
            running = asyncio.create_task(made.run())
            try:
                await scene(made, threads)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


async def ask(made: Reading, values: list[str]) -> list[Read]:
    return await asyncio.gather(*map(made.read, values))


def test_short_values_share_a_hand_over() -> None:
    async def scene(made: Reading, threads: Threads) -> None:
        for _ in range(10):  # until it is known how short they are
            await ask(made, ["abc"] * 10)
        threads.handed = 0
        found = await ask(made, ["a" * length for length in range(1, 201)])
        assert [int(each["length"]) for each in found if not isinstance(each, Fault)] == [*range(1, 201)]
        assert threads.handed < 50

    reading(scene)


def test_slow_values_are_read_side_by_side() -> None:
    meeting = threading.Barrier(3)

    def meet(value: str) -> Arrays:
        meeting.wait(20)
        return read(value)

    async def scene(made: Reading, threads: Threads) -> None:
        assert len(await ask(made, ["abc"] * 3)) == 3
        assert threads.handed == 3

    reading(scene, reader=meet, workers=3)


def test_a_value_that_fails_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    async def scene(made: Reading, threads: Threads) -> None:
        for _ in range(10):
            await ask(made, ["abc"] * 10)
        threads.handed = 0
        good, bad, worse, last = await ask(made, ["ab", "bad", "worse", "abc"])
        assert threads.handed < 4  # they did share
        assert not isinstance(good, Fault) and not isinstance(last, Fault)
        assert bad == Fault("it is bad")
        assert isinstance(worse, Fault) and worse.status == HTTPStatus.INTERNAL_SERVER_ERROR

    with caplog.at_level(logging.ERROR, "multigraft"):
        reading(scene)
    assert "ZeroDivisionError" in caplog.text


def test_what_nobody_waits_for_is_not_read() -> None:
    begun, going, seen = threading.Event(), threading.Event(), []

    def note(value: str) -> Arrays:
        seen.append(value)
        begun.set()
        going.wait(20)
        return read(value)

    async def scene(made: Reading, threads: Threads) -> None:
        first = asyncio.create_task(made.read("first"))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        gone = asyncio.create_task(made.read("gone"))
        await asyncio.sleep(0)
        gone.cancel()
        last = asyncio.create_task(made.read("last"))
        going.set()
        await asyncio.gather(first, last)
        assert seen == ["first", "last"]

    reading(scene, reader=note, workers=1)


def test_time_is_kept_while_it_reads() -> None:
    """The loop is not held up by a slow value."""

    def slow(value: str) -> Arrays:
        time.sleep(0.2)
        return read(value)

    async def scene(made: Reading, threads: Threads) -> None:
        answer = asyncio.create_task(made.read("abc"))
        turns = 0
        while not answer.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 10

    reading(scene, reader=slow)
