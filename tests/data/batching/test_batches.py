from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multigraft.data import padding_share, plan_batches

lengths = st.lists(st.integers(1, 60), max_size=300).map(np.array)


@given(lengths, st.integers(1, 16), st.integers(0, 3), st.booleans(), st.integers(1, 4))
def test_every_row_is_in_one_batch(
    lengths: np.ndarray, size: int, epoch: int, shuffle: bool, world: int
) -> None:
    if 0 < len(lengths) < world:
        with pytest.raises(ValueError, match="cannot be shared by"):
            plan_batches(lengths, size=size, seed=1, epoch=epoch, shuffle=shuffle, world=world)
        return
    plan = [
        plan_batches(lengths, size=size, seed=1, epoch=epoch, shuffle=shuffle, world=world)
        for _ in "ab"
    ]
    assert [batch.tolist() for batch in plan[0]] == [batch.tolist() for batch in plan[1]]
    assert sorted(row for batch in plan[0] for row in batch) == list(range(len(lengths)))
    largest = 2 if size == 1 and len(lengths) % world else size
    assert all(1 <= len(batch) <= largest for batch in plan[0])
    assert len(plan[0]) % world == 0
    if world == 1:
        assert sum(len(batch) < size for batch in plan[0]) == (len(lengths) % size > 0)


@given(
    lengths,
    st.integers(1, 400),
    st.integers(1, 16),
    st.booleans(),
    st.integers(1, 4),
    st.integers(0, 3),
)
def test_a_budget_is_kept(
    lengths: np.ndarray, budget: int, size: int, shuffle: bool, world: int, epoch: int
) -> None:
    if 0 < len(lengths) < world:
        return
    asked: dict[str, Any] = {
        "size": size,
        "seed": 1,
        "epoch": epoch,
        "shuffle": shuffle,
        "world": world,
    }
    plan, again = (plan_batches(lengths, budget=budget, **asked) for _ in "ab")
    assert [batch.tolist() for batch in plan] == [batch.tolist() for batch in again]
    assert sorted(row for batch in plan for row in batch) == list(range(len(lengths)))
    assert len(plan) % world == 0
    paired = len(lengths) % world > 0 and max(map(len, plan), default=0) == 2
    for batch in plan:
        fits = len(batch) <= size and len(batch) * lengths[batch].max() <= budget
        assert fits or len(batch) == 1 or paired


def test_a_budget_fills_batches_of_similar_length() -> None:
    drawn = np.random.default_rng(0).lognormal(3.6, 0.8, 20_000)
    lengths = np.clip(drawn, 6, 256).astype(np.int64)
    plan = plan_batches(lengths, size=1000, budget=4096, seed=0, epoch=0, shuffle=True)
    padded = np.array([len(batch) * lengths[batch].max() for batch in plan])
    assert padding_share(lengths, plan) < 0.04
    assert (padded > 0.9 * 4096).mean() > 0.95
    means = np.array([lengths[batch].mean() for batch in plan])
    middle = len(means) // 2
    assert means[:middle].mean() == pytest.approx(means[middle:].mean(), abs=15)


def test_a_budget_cuts_from_long_to_short_in_evaluation() -> None:
    lengths = np.array([3, 9, 1, 9, 5, 30])
    plan = plan_batches(lengths, size=3, budget=18, seed=0, epoch=0, shuffle=False)
    assert [batch.tolist() for batch in plan] == [[5], [1, 3], [4, 0, 2]]


def test_processes_share_a_budget() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 4001)
    plan = plan_batches(lengths, size=500, budget=800, seed=0, epoch=0, shuffle=True, world=4)
    spread = [
        np.ptp([lengths[batch].max() for batch in plan[at : at + 4]])
        for at in range(0, len(plan), 4)
    ]
    assert np.median(spread) < 5
    assert max(len(batch) * lengths[batch].max() for batch in plan) <= 800


def test_seed_and_epoch_change_the_order() -> None:
    lengths = np.ones(64, dtype=int)
    plans = [
        np.concatenate(plan_batches(lengths, size=8, seed=seed, epoch=epoch, shuffle=True)).tolist()
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    ]
    assert len({tuple(plan) for plan in plans}) == 3
    assert list(range(64)) not in plans


def test_rows_of_one_length_meet_at_random() -> None:
    first = plan_batches(np.ones(1000, dtype=int), size=10, seed=0, epoch=0, shuffle=True)[0]
    assert np.ptp(first) > 300


def test_pools_pad_little_and_long_batches_come_at_any_time() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 20_000)
    batches = plan_batches(lengths, size=32, seed=0, epoch=0, shuffle=True)
    shuffled = np.array_split(np.random.default_rng(0).permutation(20_000), 625)
    assert padding_share(lengths, shuffled) > 0.45
    assert padding_share(lengths, batches) < 0.03
    means = np.array([lengths[batch].mean() for batch in batches])
    halves = means[:312].mean(), means[312:].mean()
    assert halves[0] == pytest.approx(halves[1], abs=15)


def test_batches_that_are_not_by_length_hold_rows_of_any_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 200, 2010)
    asked = {"size": 32, "seed": 0, "epoch": 0, "shuffle": True, "by_length": False}
    plan = plan_batches(lengths, **asked)
    assert [len(batch) for batch in plan].count(32) == 62
    assert sorted(np.concatenate(plan).tolist()) == list(range(2010))
    assert min(np.ptp(lengths[batch]) for batch in plan if len(batch) == 32) > 100
    within = plan_batches(lengths, budget=1600, world=2, **asked)
    assert len(within) % 2 == 0
    assert max(len(batch) * lengths[batch].max() for batch in within) <= 1600


def test_evaluation_goes_from_long_to_short() -> None:
    lengths = np.array([3, 9, 1, 9, 5])
    plan = plan_batches(lengths, size=2, seed=0, epoch=0, shuffle=False)
    assert [batch.tolist() for batch in plan] == [[1, 3], [4, 0], [2]]
    values = np.concatenate([lengths[batch] for batch in plan])
    assert values[np.argsort(np.concatenate(plan))].tolist() == lengths.tolist()


def test_processes_of_one_step_get_rows_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 4001)
    plan = plan_batches(lengths, size=8, seed=0, epoch=0, shuffle=True, world=4)
    spread = [
        np.ptp([lengths[batch].mean() for batch in plan[at : at + 4]])
        for at in range(0, len(plan), 4)
    ]
    assert np.median(spread) < 5


def test_padding_share() -> None:
    lengths = np.array([2, 4, 3])
    assert padding_share(lengths, [np.array([0, 1]), np.array([2])]) == pytest.approx(2 / 11)
    assert padding_share(lengths, [np.array([0]), np.array([1]), np.array([2])]) == 0
    assert padding_share(lengths, []) == 0
    assert padding_share(lengths, [(np.array([0, 1]), np.array([2]))]) == pytest.approx(3 / 12)
