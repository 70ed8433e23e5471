"""Steps and epochs, known before training."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multigraft.recipe import Training
from multigraft.training.batch_schedule import BatchSchedule

LENGTHS = np.random.default_rng(0).integers(3, 60, 100)


def timetable(lengths: np.ndarray = LENGTHS, **fields: Any) -> BatchSchedule:
    training = Training(**fields)
    return BatchSchedule(lengths, training, seed=3, budget=training.batch_budget)


def test_steps_of_known_recipes() -> None:
    assert timetable(epochs=2, batch_size=10).total_steps == 20
    assert timetable(epochs=2, batch_size=10, accumulation=3).total_steps == 8
    assert timetable(epochs=0.5, batch_size=10).total_steps == 5
    assert timetable(epochs=1.25, batch_size=10).total_steps == 13
    assert timetable(steps=7, batch_size=10).total_steps == 7
    assert timetable(epochs=0.01, batch_size=100).total_steps == 1
    assert timetable(epochs=0, batch_size=10).total_steps == 0


@given(
    epochs=st.floats(0.1, 4),
    size=st.integers(1, 40),
    accumulation=st.integers(1, 3),
    budget=st.none() | st.floats(60, 500),
)
def test_every_step_has_its_place(
    epochs: float, size: int, accumulation: int, budget: float | None
) -> None:
    times = timetable(
        epochs=epochs, batch_size=size, accumulation=accumulation, batch_budget=budget
    )
    places = [times.place(step) for step in range(times.total_steps)]
    assert places[0] == (0, 0)
    for before, after in pairwise(places):
        assert after in ((before[0], before[1] + 1), (before[0] + 1, 0))
    for epoch, done in places:
        assert done * accumulation < len(times.batches(epoch))
    assert [times.ends(step) for step in range(1, times.total_steps)] == [
        done == 0 for _, done in places[1:]
    ]


def test_an_epoch_sees_every_row_once_and_follows_from_seed_and_epoch() -> None:
    times, again = (timetable(epochs=3, batch_size=8, batch_budget=200.0) for _ in range(2))
    for epoch in (2, 0, 1):
        assert sorted(np.concatenate(times.batches(epoch)).tolist()) == list(range(100))
    for one, other in zip(times.batches(1), again.batches(1), strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(np.concatenate(times.batches(0)), np.concatenate(times.batches(1)))


def test_a_budget_is_kept() -> None:
    for batch in timetable(batch_size=50, batch_budget=120.0).batches(0):
        assert len(batch) == 1 or LENGTHS[batch].max() * len(batch) <= 120


def test_packs_fill_their_length() -> None:
    times = timetable(epochs=1, batch_size=4, packing=64)
    packs = [pack for batch in times.batches(0) for pack in batch]
    assert sorted(np.concatenate(packs).tolist()) == list(range(100))
    assert max(LENGTHS[pack].sum() for pack in packs) <= 64
    assert times.padding(0) < 0.1


def test_epochs_between_shares() -> None:
    times = timetable(epochs=4, batch_size=10)
    assert times.epochs(0, 1) == pytest.approx(4)
    assert times.epochs(0.25, 0.5) == pytest.approx(1)
    assert timetable(steps=5, batch_size=10).epochs(0, 1) == pytest.approx(0.5)
