"""Duplicates on disk: the same sets as comparing all with all, whatever the partitions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from helpers.corpora import planted
from multigraft.data.prepare import duplicates
from multigraft.data.prepare.duplicates import KeyFile, find_duplicates
from multigraft_text.likeness import sketch


def keys_in(folder: Path, values: np.ndarray) -> KeyFile:
    np.save(folder / "keys.npy", values)
    return KeyFile(folder / "keys.npy")


def brute(values: np.ndarray, near: float) -> np.ndarray:
    """Every pair compared, sets joined: the definition."""
    found = np.arange(len(values))
    for row in range(len(values)):
        for other in range(row):
            if (values[row] == values[other]).mean() >= near and values[row].any():
                found[found == max(found[row], found[other])] = min(found[row], found[other])
    return np.where(found == np.arange(len(values)), -1, found)


@pytest.mark.parametrize("partition", [2**22, 16])
def test_the_sets_are_those_of_all_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, partition: int
) -> None:
    monkeypatch.setattr(duplicates, "PARTITION", partition)
    values = sketch(planted(150, share=0.5).texts)[0]
    expected = brute(values, 0.7)
    assert (expected >= 0).sum() > 30
    assert np.array_equal(find_duplicates(keys_in(tmp_path, values), 0.7), expected)


def test_chains_count_as_one_set_and_the_first_stays(tmp_path: Path) -> None:
    values = np.ones((4, 100), np.uint16)
    values[1, :15] = 2  # near the first
    values[2, :30] = 2  # near the second alone
    values[3] = np.arange(100) + 3
    assert find_duplicates(keys_in(tmp_path, values), 0.8).tolist() == [-1, 0, 0, -1]


def test_zeros_are_like_no_other(tmp_path: Path) -> None:
    values = np.zeros((3, 8), np.uint8)
    assert find_duplicates(keys_in(tmp_path, values), 0.5).tolist() == [-1, -1, -1]


@pytest.mark.parametrize("rows", [0, 1])
def test_few_rows(tmp_path: Path, rows: int) -> None:
    values = np.ones((rows, 2), np.uint64)
    assert find_duplicates(keys_in(tmp_path, values), 1.0).tolist() == [-1] * rows


def test_equal_keys_are_found_in_one_table(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(1, 2**63, (1000, 2), np.uint64)[rng.integers(0, 300, 5000)]
    found = find_duplicates(keys_in(tmp_path, values), 1.0)
    first: dict[bytes, int] = {}
    expected = [first.setdefault(key.tobytes(), row) for row, key in enumerate(values)]
    assert [row if each < 0 else each for row, each in enumerate(found.tolist())] == expected


def test_planted_near_duplicates_are_found(tmp_path: Path) -> None:
    given = planted(2500, seed=3)
    found = find_duplicates(keys_in(tmp_path, sketch(given.texts)[0]), 0.7)
    true = np.array(given.origin) >= 0
    dropped = found >= 0
    assert true.sum() > 150
    assert (dropped & true).sum() / true.sum() >= 0.95
    assert (dropped & true).sum() / dropped.sum() >= 0.99
