from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from multigraft.data.checks import near_duplicates
from multigraft.data.checks.near_duplicates import find_near
from multigraft.data.checks.sketches import Sketches


def sketched(values: np.ndarray) -> Sketches:
    return Sketches(values, np.zeros(len(values), np.uint8), np.arange(len(values)))


def bits(rows: int, seed: int, width: int = 64) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (rows, width), np.uint8)


def spoiled(values: np.ndarray, count: int, seed: int = 9) -> np.ndarray:
    """The same rows with ``count`` values of each changed."""
    rng = np.random.default_rng(seed)
    changed = values.copy()
    for row in changed:
        row[rng.permutation(len(row))[:count]] ^= 1
    return changed


@pytest.mark.parametrize(("changes", "least"), [(0, 500), (3, 500), (6, 485), (7, 0), (16, 0)])
def test_rows_are_found_up_to_the_likeness_and_not_beyond(changes: int, least: int) -> None:
    known = bits(5000, 0)
    asked = spoiled(known[:500], changes)
    match, likeness = find_near(sketched(asked), sketched(known), 0.9)
    found = match >= 0
    assert least <= found.sum() <= (500 if changes <= 6 else 0)
    assert (match[found] == np.flatnonzero(found)).all()
    assert np.allclose(likeness[found], 1 - changes / 64)


def test_unrelated_rows_are_not_near() -> None:
    match, likeness = find_near(sketched(bits(2000, 1)), sketched(bits(20_000, 2)), 0.9)
    assert (match == -1).all()
    assert not likeness.any()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.6, 0.8, 0.95, 1.0]), st.integers(1, 24))
def test_what_is_found_is_what_comparing_all_pairs_finds(
    seed: int, least: float, width: int
) -> None:
    rng = np.random.default_rng(seed)
    known = rng.integers(0, 3, (40, width), np.uint16)
    asked = rng.integers(0, 3, (30, width), np.uint16)
    asked[:10] = np.where(rng.random((10, width)) < 0.05, 3, known[:10])
    match, likeness = find_near(sketched(asked), sketched(known), least)
    alike = (asked[:, None] == known[None]).mean(-1)
    alike[~asked.any(1)] = 0
    for row, other in enumerate(match.tolist()):
        if other >= 0:
            assert alike[row, other] == likeness[row] >= least
        elif (asked[row] == known).all(-1).any() and asked[row].any():
            pytest.fail("an equal sketch is always found")


def test_sketches_of_zeros_are_like_nothing() -> None:
    empty = np.zeros((5, 64), np.uint8)
    match, _ = find_near(sketched(empty), sketched(empty), 0.9)
    assert (match == -1).all()


def test_a_row_among_many_equal_ones_costs_no_more_than_the_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = []
    pairs = near_duplicates._pairs

    def counting(*args: np.ndarray) -> object:
        for places, others in pairs(*args):
            compared.append(len(places))
            yield places, others

    monkeypatch.setattr(near_duplicates, "_pairs", counting)
    monkeypatch.setattr(near_duplicates, "PAIRS", 4096)
    known, asked = np.ones((10_000, 64), np.uint8), np.ones((50, 64), np.uint8)
    match, likeness = find_near(sketched(asked), sketched(known), 0.9)
    assert (match >= 0).all()
    assert (likeness == 1).all()
    assert sum(compared) == 50 * near_duplicates.MOST
    assert max(compared) <= 4096


def test_only_the_tables_rows_of_a_source_are_looked_at() -> None:
    values = bits(100, 3)
    flaws = np.zeros(100, np.uint8)
    known = Sketches(values, flaws, np.arange(50, 100))
    match, _ = find_near(Sketches(values, flaws, np.array([60, 10])), known, 0.9)
    assert match.tolist() == [10, -1]
