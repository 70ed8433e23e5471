"""Statistics by what is known of them: published figures, limits, and what they refuse."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from multigraft.contracts.report import Measure
from multigraft.evaluation import statistics as ours

DEMSAR = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)
"""Critical values of Nemenyi's test at 0.05 for 2 to 10 systems (Demsar 2006, table 5a)."""


def test_open_clips_ten_best_models_differ_as_was_published() -> None:
    table = json.loads(Path(__file__).with_name("openclip_top10.json").read_text("utf-8"))
    found = ours.friedman(np.array(list(table["systems"].values())).T)
    assert found.n == 38
    assert found.statistic == pytest.approx(50.9, abs=0.05)
    assert found.p == pytest.approx(7e-8, rel=0.1)
    assert found.mean_ranks.min() == pytest.approx(3.92, abs=0.005)
    assert found.mean_ranks.max() == pytest.approx(7.47, abs=0.005)
    assert found.critical_difference == pytest.approx(2.20, abs=0.005)
    best, worst = found.mean_ranks.argmin(), found.mean_ranks.argmax()
    assert found.pairs[best, worst] < 0.05
    groups = found.alike()
    assert not any({best, worst} <= set(group) for group in groups)
    for group in groups:
        for one, other in itertools.combinations(group, 2):
            assert found.pairs[one, other] > 0.05


@pytest.mark.parametrize("systems", range(3, 11))
def test_critical_differences_are_those_of_the_table(systems: int) -> None:
    rng = np.random.default_rng(systems)
    found = ours.friedman(rng.random((6, systems)))
    error = np.sqrt(systems * (systems + 1) / (6 * 6))
    assert found.critical_difference / error == pytest.approx(DEMSAR[systems - 2], abs=0.001)


def test_systems_that_are_equal_everywhere_are_not_told_apart() -> None:
    found = ours.friedman(np.ones((5, 4)))
    assert (found.statistic, found.p) == (0.0, 1.0)
    assert found.alike() == [[0, 1, 2, 3]]


def test_smaller_is_better_where_it_is_said() -> None:
    losses = np.random.default_rng(0).random((9, 3)) + np.arange(3)
    assert ours.friedman(losses, greater=False).mean_ranks.tolist() == [1, 2, 3]


def test_holm_rejects_what_every_subset_of_hypotheses_rejects() -> None:
    """Its definition: closed testing with Bonferroni's test of each intersection."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        p = rng.random(4) ** 3
        for place in range(4):
            subsets = (
                [place, *others]
                for size in range(4)
                for others in itertools.combinations(set(range(4)) - {place}, size)
            )
            worst = max(min(1.0, len(subset) * p[subset].min()) for subset in subsets)
            assert ours.holm(p)[place] == pytest.approx(worst)


def test_of_one_seed_both_are_the_rows_and_of_equal_rows_the_seeds() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0.7, 0.1, 500)
    rows, both = ours.over_rows(scores, count=4000), ours.over_both(scores[None], count=4000)
    assert both.seeds == 1
    assert (both.low, both.high) == pytest.approx((rows.low, rows.high), abs=0.0008)
    values = np.array([0.6, 0.7, 0.65, 0.72])
    seeds, both = ours.over_seeds(values), ours.over_both(np.repeat(values[:, None], 50, 1))
    assert (both.low, both.high) == pytest.approx((seeds.low, seeds.high))


def test_what_is_common_to_both_cancels_in_a_paired_difference() -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 5, 300)
    first, other = hard + rng.normal(0.3, 0.5, 300), hard + rng.normal(0, 0.5, 300)
    found = ours.paired_difference(first, other)
    assert found.low is not None
    assert found.low > 0
    assert found.p is not None
    assert found.p < 0.01
    alone = ours.over_rows(first)
    assert alone.low is not None
    assert alone.low < other.mean()


def test_identical_systems_have_no_difference() -> None:
    scores = np.random.default_rng(0).random(50)
    assert ours.paired_difference(scores, scores).p == 1
    assert ours.permutation_test(scores, scores).p == 1
    right = (scores > 0.3).astype(int)
    assert ours.mcnemar(right, right).p == 1
    assert ours.mcnemar(right, right, exact=False).p == 1
    assert ours.corrected_t(np.zeros(10), train_rows=9, test_rows=1).p == 1
    belief = ours.correlated_bayes(np.zeros(10), region=0, test_share=0.1)
    assert (belief.worse, belief.equal, belief.better) == (0.5, 0, 0.5)
    held = ours.correlated_bayes(np.zeros(10), region=0.01, test_share=0.1)
    assert held.equal == 1


def test_what_is_needed_has_the_power_and_one_less_has_not() -> None:
    for difference, paired in ((0.3, True), (0.02, True), (0.5, False)):
        found = ours.needed(difference, 1.0, paired=paired)
        assert ours.power(difference, 1.0, found, paired=paired) >= 0.8
        assert ours.power(difference, 1.0, found - 1, paired=paired) < 0.8
        smallest = ours.smallest_difference(1.0, found, paired=paired)
        assert smallest == pytest.approx(difference, rel=0.02)
        assert smallest <= difference


def test_power_is_how_often_the_test_finds_it() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(0.2, 1, (4000, 120))
    found = abs(drawn.mean(1)) / (drawn.std(1, ddof=1) / 120**0.5) > 1.980
    assert found.mean() == pytest.approx(ours.power(0.2, 1.0, 120), abs=0.025)


def test_a_system_by_its_scores_is_as_by_its_draws() -> None:
    """Of one training right or wrong by McNemar, of scores by the bootstrap, of seeds by both."""
    rng = np.random.default_rng(0)
    right = (rng.random((2, 1, 400)) < [[[0.9]], [[0.6]]]).astype(float)
    best, other = ours.compare_systems([ours.system_of(f"m{i}", right[i]) for i in (1, 0)])
    assert (best.name, best.difference, best.adjusted) == ("m0", None, None)
    assert other.difference == ours.mcnemar(right[1, 0], right[0, 0])
    assert other.adjusted == other.difference.p
    scores = rng.normal(0.7, 0.1, (2, 400))
    systems = [ours.system_of(name, each[None]) for name, each in zip("ab", scores, strict=True)]
    found = ours.compare_systems(systems, reference="a", greater=False)
    gap = next(each.difference for each in found if each.name == "b")
    paired = ours.paired_difference(scores[1], scores[0])
    assert gap is not None
    assert gap.value == pytest.approx(paired.value)
    assert (gap.low, gap.high) == pytest.approx((paired.low, paired.high), abs=0.001)
    assert gap.p == pytest.approx(paired.p, abs=0.03)


def test_a_best_that_the_data_chose_is_held_to_all_pairs() -> None:
    rng = np.random.default_rng(3)
    systems = [ours.system_of(f"m{i}", (rng.random((1, 300)) < 0.7) * 1.0) for i in range(4)]
    best, *_, last = ours.compare_systems(systems)
    named = ours.compare_systems(systems, reference=best.name)[-1]
    assert named.difference == last.difference
    assert last.difference is not None
    assert last.difference.p is not None
    assert last.adjusted == pytest.approx(min(1, 6 * last.difference.p))
    assert named.adjusted == pytest.approx(min(1, 3 * last.difference.p))


def test_an_estimate_survives_json() -> None:
    found = ours.over_rows([0.0, 1.0, 1.0], count=20)
    assert ours.Estimate(**json.loads(json.dumps(found.to_dict()))) == found
    assert found.measure == Measure(found.value, found.low, found.high)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: ours.paired_difference([1, 2], [1, 2, 3]), "2 and 3 rows cannot be paired"),
        (lambda: ours.paired_difference([1, float("nan")], [1, 2]), "hold 1 that are no numbers"),
        (lambda: ours.over_rows([[1.0]]), r"an array \[N\]; found the shape \[1, 1\]"),
        (lambda: ours.over_both([1.0, 2.0]), r"an array \[M, N\]; found the shape \[2\]"),
        (lambda: ours.over_rows([]), "at least 1 are needed"),
        (lambda: ours.mcnemar([1, 2], [1, 0]), r"right \(1\) or wrong \(0\)"),
        (lambda: ours.holm([0.1, 1.2]), "from 0 to 1"),
        (lambda: ours.friedman(np.ones((4, 2))), "paired_difference"),
        (lambda: ours.corrected_t([1, 2], train_rows=0, test_rows=1), "at least 1"),
        (lambda: ours.correlated_bayes([1, 2], region=-1, test_share=0.1), "region -1"),
        (lambda: ours.correlated_bayes([1, 2], region=0, test_share=1.0), "below 1"),
        (lambda: ours.probability_of_improvement(np.ones((2, 3)), np.ones((2, 4))), "same tasks"),
        (lambda: ours.power(0, 1, 10), "no number of rows"),
        (lambda: ours.power(1, 0, 10), "above 0"),
        (lambda: ours.power(1, 1, 1), "at least 2"),
        (lambda: ours.needed(1e-9, 1), "more than 1,000,000,000"),
        (lambda: ours.compare_systems([]), "two systems or more"),
        (
            lambda: ours.compare_systems(
                [ours.system_of("a", [[1, 0]]), ours.system_of("b", [[1, 0, 1]])]
            ),
            "differ in rows",
        ),
        (
            lambda: ours.compare_systems(
                [ours.system_of("a", [[1, 0]]), ours.system_of("b", [[1, 0]])], reference="c"
            ),
            "'c' is none of a, b",
        ),
    ],
)
def test_what_cannot_be_computed_is_refused_with_what_is_needed(call, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=told):
        call()
