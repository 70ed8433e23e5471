"""Averages over domains: their intervals hold the truth as often as they say, and no noise that two
systems share counts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.stats import t

from multigraft.evaluation.statistics import (
    Block,
    System,
    average_difference,
    average_of,
    difference_of,
    estimate_of,
    system_of,
)

DRAWS = 100


def block(scores: Sequence[Sequence[float]] | np.ndarray, rows: str, trainings: str = "") -> Block:
    return Block(system=system_of("x", scores, count=DRAWS), rows=rows, trainings=trainings)


def test_one_block_is_that_system() -> None:
    rng = np.random.default_rng(0)
    first, second = (block(rng.integers(0, 2, (1, 40)), "a") for _ in range(2))
    assert average_of([first]) == estimate_of(first.system)
    assert average_difference([first], [second]) == difference_of(first.system, second.system)


def test_the_variances_of_domains_and_of_seeds_add_up() -> None:
    """By hand: two domains, one training of three seeds, resamples that say what rows vary by."""
    values = {"a": np.array([0.5, 0.6, 0.7]), "b": np.array([0.2, 0.4, 0.3])}
    noise = np.random.default_rng(1).normal(0, 0.02, (2, 400))
    systems = {
        name: System(name=name, values=found, draws=found[:, None] + noise[place], rows=101)
        for place, (name, found) in enumerate(values.items())
    }
    found = average_of([Block(system=each, rows=name) for name, each in systems.items()])
    rows = [noise[place].var(ddof=1) / 4 * 101 / 100 for place in range(2)]
    together = (values["a"] + values["b"]) / 2
    seeds = together.var(ddof=1) / 3
    assert found.value == pytest.approx(0.45)
    parts = [(each, 1 / (1 / 100 + 1 / 399)) for each in rows] + [(seeds, 2)]
    total = sum(part for part, _ in parts)
    free = total**2 / sum(part**2 / each for part, each in parts)
    half = t.ppf(0.975, free) * math.sqrt(total)
    assert (found.low, found.high) == pytest.approx((0.45 - half, 0.45 + half))
    assert (found.n, found.seeds, found.p) == (202, 3, None)


def test_what_two_systems_share_does_not_count() -> None:
    rng = np.random.default_rng(2)
    hard = {name: rng.normal(0, 1, 60) for name in "ab"}
    first = [block(hard[name][None] + 0.1, name) for name in "ab"]
    second = [block(hard[name][None], name) for name in "ab"]
    found = average_difference(first, second)
    assert (found.low, found.value, found.high) == pytest.approx((0.1, 0.1, 0.1))
    assert found.p == pytest.approx(0)
    alone = average_of(first)
    assert alone.low is not None and alone.high is not None and alone.high - alone.low > 0.3


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Two sources by two targets, three seeds; rows have effects, and trainings on both targets."""
    rng = np.random.default_rng(3)
    held = rejected = 0
    trials = 200
    for _ in range(trials):
        systems = []
        rows = {name: rng.normal(0, 0.5, 50) for name in "ab"}
        for _ in range(2):
            blocks = []
            for source in "ab":
                training = rng.normal(0, 0.1, 3)
                for target in "ab":
                    scores = rows[target] + training[:, None] + rng.normal(0, 0.3, (3, 50))
                    blocks.append(block(scores, target, source))
            systems.append(blocks)
        found = average_of(systems[0])
        assert found.low is not None and found.high is not None
        held += found.low <= 0 <= found.high
        p = average_difference(*systems).p
        assert p is not None
        rejected += p <= 0.05
    assert 0.93 <= held / trials <= 0.985
    assert rejected / trials <= 0.07


def test_blocks_of_other_rows_are_refused() -> None:
    first = block([[0.0, 1.0]], "a")
    with pytest.raises(ValueError, match="no block"):
        average_of([])
    with pytest.raises(ValueError, match="blocks are of other rows"):
        average_difference([first], [block([[0.0, 1.0]], "b")])
    with pytest.raises(ValueError, match="have not the same number of rows"):
        average_of([first, block([[0.0, 1.0, 1.0]], "a")])
