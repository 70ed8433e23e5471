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

from multigraft.contracts.types import Arrays
from multigraft.errors import RowError
from multigraft.runtime.serving.faults import Fault
from multigraft.runtime.serving.memory_budget import Room, Share
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
    memory: Callable[[Any], int] = len,
    room: Room | None = None,
    hold: bool = False,
) -> None:
    """Act a scene with a reading that runs."""

    async def main() -> None:
        with Threads(workers) as threads:
            held = Room(10**9) if room is None else room
            made = Reading(
                reader, memory, threads=threads, workers=workers, room=held, quick=True, hold=hold
            )
            running = asyncio.create_task(made.run())
            try:
                await scene(made, threads)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


async def ask(made: Reading, values: list[str]) -> list[Read]:
    return [found for found, _ in await asyncio.gather(*map(made.read, values))]


def test_short_values_share_a_hand_over() -> None:
    async def scene(made: Reading, threads: Threads) -> None:
        for _ in range(10):  # until it is known how short they are
            await ask(made, ["abc"] * 10)
        threads.handed = 0
        found = await ask(made, ["a" * length for length in range(1, 201)])
        assert [int(each["length"]) for each in found if not isinstance(each, Fault)] == [
            *range(1, 201)
        ]
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


def test_values_are_read_within_the_room_in_order_and_a_huge_one_alone() -> None:
    room, under_way, most = Room(10), 0, []
    lock = threading.Lock()

    def weigh(value: str) -> Arrays:
        nonlocal under_way
        with lock:
            under_way += len(value)
            most.append(under_way)
        time.sleep(0.02)
        with lock:
            under_way -= len(value)
        return {}

    async def scene(made: Reading, threads: Threads) -> None:
        sizes = [4, 4, 4, 30, 2, 8, 1]
        shares = await asyncio.gather(*(_given_back(made, "x" * size) for size in sizes))
        assert len(shares) == len(sizes)
        assert max(load for load in most if load != 30) <= 10
        assert most.count(30) == 1 and max(most) == 30
        assert room.taken == 0

    reading(scene, reader=weigh, workers=8, room=room)


async def _given_back(made: Reading, value: str) -> Share:
    _, share = await made.read(value)
    share.give_back()
    return share


def test_a_row_holds_its_arrays_until_it_is_given_back_and_a_fault_nothing() -> None:
    room = Room(10**6)

    async def scene(made: Reading, threads: Threads) -> None:
        _, share = await made.read("abc")
        assert room.taken == share.size == np.asarray(3).nbytes
        _, none = await made.read("bad")
        assert none.size == 0
        share.give_back()
        share.give_back()
        assert room.taken == 0

    reading(scene, room=room)


def test_who_leaves_takes_no_room_along_and_what_a_thread_reads_keeps_its_own() -> None:
    room, begun, going = Room(10), threading.Event(), threading.Event()

    def slow(value: str) -> Arrays:
        begun.set()
        going.wait(20)
        return {}

    async def scene(made: Reading, threads: Threads) -> None:
        first, second, third = (asyncio.create_task(made.read("x" * 6)) for _ in range(3))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        first.cancel()  # a thread reads it, so its memory is taken still
        second.cancel()  # it stands in line
        await asyncio.gather(first, second, return_exceptions=True)
        assert room.taken == 6 and not third.done()
        going.set()
        (await third)[1].give_back()
        assert room.taken == 0

    reading(scene, reader=slow, workers=3, room=room)


@pytest.mark.parametrize("hold", [False, True])
def test_what_is_read_again_holds_its_memory_until_it_is_answered(hold: bool) -> None:
    room = Room(1000)

    async def scene(made: Reading, _: Threads) -> None:
        found, share = await made.read("a" * 500)
        assert not isinstance(found, Fault)
        assert room.taken == (500 if hold else found["length"].nbytes)
        share.give_back()
        bad, _ = await made.read("bad")
        assert isinstance(bad, Fault) and room.taken == 0

    reading(scene, room=room, hold=hold)
