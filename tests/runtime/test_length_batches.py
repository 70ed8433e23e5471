"""Batches of like length, and reading within bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multigraft import Fill
from multigraft.runtime import length_batches
from multigraft.runtime.length_batches import WASTE, cut, read_ahead, wide_shapes


@given(st.lists(st.integers(1, 50)), st.integers(1, 200))
def test_every_row_is_in_one_batch_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(cut(lengths, rows=None, budget=budget))
    assert sorted(chain.from_iterable(batches)) == list(range(len(lengths)))
    for batch in batches:
        longest = max(lengths[index] for index in batch)
        assert len(batch) == 1 or len(batch) * longest <= budget
    flat = [lengths[index] for batch in batches for index in batch]
    assert flat == sorted(flat)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_tall_and_wide_rows_do_not_pad_each_other_without_bound(
    planes: list[tuple[int, int]],
) -> None:
    rows = [{"x": np.zeros(plane), "y": np.zeros(plane[0])} for plane in planes]
    shapes = wide_shapes(rows, {"x": Fill(0, {0: "height", 1: "width"}), "y": 0})
    batches = list(cut([row["x"].size for row in rows], rows=8, budget=None, shapes=shapes))
    assert sorted(chain.from_iterable(batches)) == list(range(len(rows)))
    for batch in batches:
        tall, wide = np.max([planes[index] for index in batch], axis=0)
        assert len(batch) * tall * wide <= WASTE * sum(rows[index]["x"].size for index in batch)


def test_one_axis_has_no_shapes_to_look_at() -> None:
    assert wide_shapes([{"x": np.zeros((2, 3))}], {"x": 0}) == []
    thin = [((100, 1),), ((1, 100),)]
    assert [len(batch) for batch in cut([100, 100], rows=8, budget=None, shapes=thin)] == [1, 1]
    assert [len(batch) for batch in cut([100, 100], rows=8, budget=None)] == [2]


def test_a_batch_size_that_is_asked_for_is_kept() -> None:
    assert [len(batch) for batch in cut([9] * 10, rows=4, budget=9)] == [4, 4, 2]
    assert [len(batch) for batch in cut([9] * 40, rows=None, budget=None)] == [32, 8]


def test_reading_ahead_is_bounded_in_number_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def values() -> Iterator[int]:
        for number in range(20):
            taken.append(number)
            yield number

    monkeypatch.setattr(length_batches, "READ_AHEAD", 6)
    parts = read_ahead(values(), lambda value: value, lambda value: 0)
    assert next(parts) == [0, 1, 2, 3, 4, 5] and len(taken) <= 7
    monkeypatch.setattr(length_batches, "READ_BYTES", 10)
    assert [len(part) for part in read_ahead(range(5), np.zeros, lambda array: 4)] == [3, 2]


def test_slow_values_are_read_by_several_threads_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(length_batches, "usable_cores", lambda: 4)
    names = set()

    def slow(value: int) -> int:
        time.sleep(0.003)
        names.add(threading.current_thread().name)
        return value

    (part,) = read_ahead(iter(range(40)), slow, lambda value: 0)
    assert part == list(range(40)) and len(names) > 2
