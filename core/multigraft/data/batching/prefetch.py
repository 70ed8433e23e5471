"""Reading ahead: the next batches are made in a thread while the step computes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from threading import Semaphore, Thread
from typing import TypeVar

T = TypeVar("T")
DEPTH = 2
"""Batches that are made before they are asked for."""
SLOW = 1e-3
"""Seconds a batch from which a thread saves more than it costs."""
END = object()


def read_ahead(read: Callable[[int], T], numbers: Sequence[int]) -> Iterator[T]:
    """``read(number)`` for each number in order; in a thread from the second slow one on.

    What ``read`` raises is raised here. Closing the iterator, or letting go of it, ends the thread.
    """
    slow = 0
    for place, number in enumerate(numbers):
        started = time.perf_counter()
        item = read(number)
        slow = slow + 1 if time.perf_counter() - started > SLOW else 0
        yield item
        if slow == 2:
            yield from _threaded(read, numbers[place + 1 :])
            return


def timed(items: Iterator[T], waits: list[float]) -> Iterator[T]:
    """The same items; the seconds that each was waited for go to ``waits``."""
    started = time.perf_counter()
    for item in items:
        waits.append(time.perf_counter() - started)
        yield item
        started = time.perf_counter()


def _threaded(read: Callable[[int], T], numbers: Sequence[int]) -> Iterator[T]:
    done: SimpleQueue[tuple[T | object, BaseException | None]] = SimpleQueue()
    room, closed = Semaphore(DEPTH), False

    def work() -> None:
        for number in numbers:
            room.acquire()
            if closed:
                return
            try:
                done.put((read(number), None))
            except BaseException as error:  # raised again where the batch is asked for
                done.put((END, error))
                return
        done.put((END, None))

    thread = Thread(target=work, name="multigraft-read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = done.get()
            if error is not None:
                raise error
            if item is END:
                return
            room.release()
            yield item  # type: ignore[misc]
    finally:
        closed = True
        room.release()
        thread.join()
