"""A batch is cut where positions and passes together cost least."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from multigraft.data.batching.length_parts import length_parts


def cost(lengths: np.ndarray, parts: list[np.ndarray], per_pass: float) -> float:
    return sum(per_pass + len(part) * int(lengths[part].max()) for part in parts)


@given(
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=9),
    per_pass=st.floats(0, 100),
)
def test_no_other_way_to_cut_costs_less(lengths: list[int], per_pass: float) -> None:
    known, members = np.array(lengths), np.arange(len(lengths))
    parts = length_parts(known, members, per_pass=per_pass)
    assert sorted(np.concatenate(parts).tolist()) == members.tolist()
    falling = members[np.argsort(-known, kind="stable")]
    ways = [
        np.split(falling, list(cuts))
        for count in range(len(lengths))
        for cuts in combinations(range(1, len(lengths)), count)
    ]
    least = min(cost(known, way, per_pass) for way in ways)
    assert cost(known, parts, per_pass) == pytest.approx(least)


def test_members_are_rows_of_any_number() -> None:
    lengths = np.array([1, 1, 1, 30, 2, 29, 1])
    parts = length_parts(lengths, np.array([5, 4, 3, 6]), per_pass=10)
    assert [part.tolist() for part in parts] == [[3, 5], [4, 6]]


def test_rows_of_equal_length_stay_as_they_came() -> None:
    members = np.array([3, 1, 2])
    assert length_parts(np.full(4, 7), members, per_pass=1)[0] is members
