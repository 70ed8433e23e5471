"""Simulations: 95% intervals hold the truth as often as they say, and nothing is found in noise."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from multigraft.evaluation import statistics as ours
from multigraft.evaluation.statistics import Estimate, System

SIMULATIONS = 2000


def drawn(seeds: int, rows: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Scores [seeds, rows] with a true mean of 0: rows and seeds have effects of their own."""
    row, seed = rng.normal(0, 0.35, (1, rows)), rng.normal(0, spread, (seeds, 1))
    return row + seed + rng.normal(0, 0.2, (seeds, rows))


def covered(estimates: Iterator[Estimate], truth: float) -> float:
    held = [each.low <= truth <= each.high for each in estimates]  # type: ignore[operator]
    return float(np.mean(held))


@pytest.mark.slow
@pytest.mark.parametrize(
    "interval",
    [
        lambda rng: ours.over_rows((rng.random(150) < 0.5) * 1.0, count=500),
        lambda rng: ours.over_rows(rng.normal(0.5, 1, 100), count=500),
        lambda rng: ours.over_seeds(rng.normal(0.5, 1, 4)),
        lambda rng: ours.paired_difference(
            rng.normal(0.5, 1, 100) + 3, rng.normal(0, 1, 100) + 3, count=500
        ),
        lambda rng: ours.mcnemar(rng.random(150) < 0.8, rng.random(150) < 0.3),
        lambda rng: ours.corrected_t(rng.normal(0.5, 1, 10), train_rows=10**9, test_rows=1),
    ],
    ids=["rows, right or wrong", "rows", "seeds", "paired", "McNemar", "corrected t"],
)
def test_intervals_cover(interval: Callable[[np.random.Generator], Estimate]) -> None:
    rng = np.random.default_rng(0)
    share = covered((interval(rng) for _ in range(SIMULATIONS)), 0.5)
    assert 0.93 <= share <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03])
def test_intervals_over_seeds_and_rows_cover(seeds: int, spread: float) -> None:
    rng = np.random.default_rng(seeds)
    found = (ours.over_both(drawn(seeds, 150, spread, rng), count=300) for _ in range(SIMULATIONS))
    assert 0.93 <= covered(found, 0.0) <= 0.97


@pytest.mark.slow
def test_drawing_three_seeds_again_is_too_sure_and_student_is_not() -> None:
    """Where seeds decide: the reason why the comparison of runs does not draw them."""
    rng = np.random.default_rng(0)
    scores = [drawn(3, 150, 0.2, rng) for _ in range(500)]
    plain = covered((ours.hierarchical_bootstrap(each, count=300) for each in scores), 0.0)
    both = covered((ours.over_both(each, count=300) for each in scores), 0.0)
    assert plain < 0.85
    assert 0.92 <= both <= 0.97


@pytest.mark.slow
def test_ten_seeds_or_more_may_be_drawn() -> None:
    rng = np.random.default_rng(1)
    found = (
        ours.hierarchical_bootstrap(drawn(15, 150, 0.02, rng), count=300)
        for _ in range(SIMULATIONS // 2)
    )
    assert 0.93 <= covered(found, 0.0) <= 0.97


def null_accuracies(rng: np.random.Generator) -> list[System]:
    """Four systems, all right about seven rows in ten, and about the same."""
    hard = rng.random(200)
    noise = rng.normal(0, 0.2, (4, 1, 200))
    return [
        ours.system_of(f"m{i}", (hard + each < 0.7) * 1.0, count=2) for i, each in enumerate(noise)
    ]


def null_scores(rng: np.random.Generator) -> list[System]:
    """Three systems of no difference, of three seeds each."""
    hard = rng.normal(0, 0.35, (1, 150))
    return [
        ours.system_of(
            f"m{i}",
            hard + rng.normal(0, 0.02, (3, 1)) + rng.normal(0, 0.2, (3, 150)),
            count=200,
        )
        for i in range(3)
    ]


def null_f1(rng: np.random.Generator) -> list[System]:
    """Three systems of no difference by a metric that is no mean over rows."""
    target = (rng.random(200) < 0.4).astype(int)
    answers = [np.where(rng.random(200) < 0.75, target, 1 - target) for _ in range(3)]
    kept = [{"answer": each, "target": target} for each in answers]
    return [
        System(
            name=f"m{i}",
            values=np.array([F1().summarise(each)["f1"]]),
            draws=ours.metric_draws(F1(), each, count=200, seed=0)["f1"][None],
            rows=200,
        )
        for i, each in enumerate(kept)
    ]


class F1:
    def summarise(self, kept) -> dict[str, float]:  # type: ignore[no-untyped-def]
        answer, target = kept["answer"], kept["target"]
        return {"f1": float(2 * (answer * target).sum() / (answer.sum() + target.sum()))}


@pytest.mark.slow
@pytest.mark.parametrize("systems", [null_accuracies, null_scores, null_f1])
@pytest.mark.parametrize("reference", [None, "m0"])
def test_nothing_is_found_where_nothing_is(
    systems: Callable[[np.random.Generator], list[System]], reference: str | None
) -> None:
    """In at most 5% of comparisons is any difference found, the best chosen by the data or not."""
    rng, found, simulations = np.random.default_rng(0), 0, 1000
    for _ in range(simulations):
        standings = ours.compare_systems(systems(rng), reference=reference)
        found += any(each.adjusted is not None and each.adjusted <= 0.05 for each in standings)
    error = (0.05 * 0.95 / simulations) ** 0.5
    assert found / simulations <= 0.05 + error


def test_a_difference_is_found_where_one_is() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        hard = rng.normal(0, 0.35, (1, 200))
        systems = [
            ours.system_of(
                name, hard + mean + rng.normal(0, 0.01, (5, 1)) + rng.normal(0, 0.2, (5, 200))
            )
            for name, mean in (("worse", 0.0), ("better", 0.15))
        ]
        better, worse = ours.compare_systems(systems)
        assert (better.name, worse.name) == ("better", "worse")
        assert worse.adjusted is not None
        assert worse.adjusted < 0.05
