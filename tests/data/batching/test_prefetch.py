from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator

import pytest

from multigraft.data.batching.prefetch import DEPTH, read_ahead, timed


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every batch counts as slow, and no thread is left behind."""
    monkeypatch.setattr("multigraft.data.batching.prefetch.SLOW", 0.0)
    yield
    gc.collect()
    assert not threads()


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if "read-ahead" in thread.name]


class Numbers:
    """Squares, and who was asked for them."""

    def __init__(self, bad: int = -1) -> None:
        self.asked: list[int] = []
        self.bad = bad
        self.names: set[str] = set()

    def __call__(self, number: int) -> int:
        self.asked.append(number)
        self.names.add(threading.current_thread().name)
        if number == self.bad:
            raise KeyError(number)
        return number**2


@pytest.mark.parametrize("count", [0, 1, 2, 3, 50])
def test_order_is_kept(count: int) -> None:
    read = Numbers()
    assert list(read_ahead(read, range(count))) == [number**2 for number in range(count)]
    assert read.asked == list(range(count))


def test_quick_batches_need_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("multigraft.data.batching.prefetch.SLOW", 60.0)
    read = Numbers()
    assert len(list(read_ahead(read, range(9)))) == 9
    assert read.names == {"MainThread"}


def test_no_more_than_a_few_are_made_ahead() -> None:
    read = Numbers()
    items = read_ahead(read, range(100))
    for _ in range(3):
        next(items)
    deadline = time.monotonic() + 10
    while len(read.asked) < 3 + DEPTH and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(read.asked) == 3 + DEPTH
    assert "multigraft-read-ahead" in read.names


@pytest.mark.parametrize("taken", [1, 2, 3, 7])
def test_stopping_early_ends_the_thread(taken: int) -> None:
    items = timed(read_ahead(Numbers(), range(100)), [])
    for _ in range(taken):
        next(items)
    assert len(threads()) == (taken > 2)
    del items
    gc.collect()
    assert not threads()


@pytest.mark.parametrize("bad", [0, 1, 2, 5])
def test_errors_come_where_the_batch_is_asked_for(bad: int) -> None:
    items = read_ahead(Numbers(bad), range(9))
    assert [next(items) for _ in range(bad)] == [number**2 for number in range(bad)]
    with pytest.raises(KeyError):
        next(items)
    assert list(items) == []


def test_waits_are_the_consumers() -> None:
    waits: list[float] = []
    for _ in timed((time.sleep(0.02) for _ in range(2)), waits):
        time.sleep(0.1)
    assert len(waits) == 2
    assert all(0.02 <= wait < 0.1 for wait in waits)


def test_a_step_hides_the_reading() -> None:
    def read(number: int) -> int:
        time.sleep(0.02)
        return number

    waits: list[float] = []
    for _ in timed(read_ahead(read, range(10)), waits):
        time.sleep(0.04)
    assert sum(waits[3:]) < 0.5 * 0.02 * len(waits[3:])
