"""Each statistic equals what scipy says now, and what statsmodels, baycomp and rliable said.

`make_peers` asks the latter, which are no dependency, and writes `peers.json`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from evaluation.statistics import cases
from multigraft.evaluation import statistics as ours

PEERS = json.loads(Path(__file__).with_name("peers.json").read_text(encoding="utf-8"))["cases"]
NUMBERS = range(cases.CASES)


def test_the_peers_were_asked_every_case() -> None:
    assert len(PEERS) == cases.CASES


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


def test_holm_is_statsmodels() -> None:
    for number in NUMBERS:
        close(ours.holm(cases.p_values(number)), PEERS[number]["holm"])


def test_mcnemar_is_statsmodels_and_scipys_binomial_test() -> None:
    for number in NUMBERS:
        first, other = cases.truths(number)
        won, lost = int((first > other).sum()), int((first < other).sum())
        exact = ours.mcnemar(first, other, exact=True)
        close(exact.p, PEERS[number]["mcnemar_exact"])
        if won + lost:
            close(exact.p, scipy.stats.binomtest(won, won + lost).pvalue)
        close(exact.value, first.mean() - other.mean())
        assert exact.low is not None
        assert exact.high is not None
        assert -1 <= exact.low <= exact.value <= exact.high <= 1
        loose = ours.mcnemar(first, other, exact=False)
        close(loose.p, PEERS[number]["mcnemar_chi2"] if won != lost else 1.0)


def test_the_correlated_t_test_is_baycomps_and_its_p_value_agrees_with_it() -> None:
    for number in NUMBERS:
        gaps = cases.splits(number)
        found = ours.correlated_bayes(gaps, region=0.005, test_share=0.2)
        close([found.worse, found.equal, found.better], PEERS[number]["correlated_bayes"])
        # without a region the posterior is Student's of the corrected test
        sides = ours.correlated_bayes(gaps, region=0, test_share=0.2)
        tested = ours.corrected_t(gaps, train_rows=80, test_rows=20)
        close(2 * min(sides.worse, sides.better), tested.p)


def test_the_corrected_t_test_without_test_rows_to_speak_of_is_scipys() -> None:
    for number in NUMBERS:
        gaps = cases.splits(number)
        found = ours.corrected_t(gaps, train_rows=10**13, test_rows=1)
        expected = scipy.stats.ttest_1samp(gaps, 0)
        close(found.p, expected.pvalue)
        between = expected.confidence_interval(0.95)
        close([found.low, found.high], [between.low, between.high])


def test_the_signed_rank_test_is_baycomps_within_its_draws() -> None:
    for number in range(0, cases.CASES, 4):
        gaps = cases.splits(number)[:12]
        found = ours.signed_rank_bayes(gaps, region=0.005, count=2000, seed=number)
        theirs = PEERS[number]["signed_rank"]
        np.testing.assert_allclose([found.worse, found.equal, found.better], theirs, atol=0.06)


def test_aggregates_are_rliables_and_scipys() -> None:
    for number in NUMBERS:
        one, two = cases.trainings(number)
        middle = ours.interquartile_mean(one, count=2).value
        close(middle, PEERS[number]["interquartile_mean"])
        close(middle, scipy.stats.trim_mean(one, 0.25, axis=None))
        close(
            ours.probability_of_improvement(one, two, count=2).value, PEERS[number]["improvement"]
        )


def test_power_is_statsmodels() -> None:
    for number in NUMBERS:
        plan = cases.planned(number)
        close(ours.power(**plan), PEERS[number]["power_paired"])
        close(ours.power(**plan, paired=False), PEERS[number]["power_seeds"])


def test_friedman_is_scipys_ties_included() -> None:
    for number in NUMBERS:
        table = cases.ranked(number)
        found = ours.friedman(table)
        expected = scipy.stats.friedmanchisquare(*table.T)
        close(found.statistic, expected.statistic)
        close(found.p, expected.pvalue)
        close(found.mean_ranks, scipy.stats.rankdata(-table, axis=1).mean(0))


def test_few_rows_are_permuted_exactly_as_scipy_does() -> None:
    for number in NUMBERS:
        first, other = (side[: 5 + number % 6] for side in cases.scores(number))
        found = ours.permutation_test(first, other)
        expected = scipy.stats.permutation_test(
            (first, other),
            lambda one, two: one.mean() - two.mean(),
            permutation_type="samples",
            n_resamples=np.inf,
        )
        assert found.method == "exact permutation test"
        close(found.p, expected.pvalue)
        close(found.value, expected.statistic)


def test_many_rows_are_permuted_as_the_t_test_says_within_the_draws() -> None:
    for number in range(0, cases.CASES, 10):
        rng = np.random.default_rng(number)
        first, other = rng.normal(0.05, 1, 400), rng.normal(0, 1, 400)
        found = ours.permutation_test(first, other, count=4000, seed=number)
        assert found.p == pytest.approx(scipy.stats.ttest_rel(first, other).pvalue, abs=0.035)


def test_bootstraps_are_scipys_within_their_draws() -> None:
    for number in range(0, cases.CASES, 4):
        first, other = cases.scores(number)
        gaps = first - other
        expected = scipy.stats.bootstrap(
            (gaps,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(9)
        )
        error = expected.standard_error
        between = expected.confidence_interval
        for found in (ours.paired_difference(first, other), ours.over_rows(gaps)):
            assert found.low == pytest.approx(between.low, abs=0.3 * error)
            assert found.high == pytest.approx(between.high, abs=0.3 * error)
            assert found.value == pytest.approx(gaps.mean())


def test_seeds_are_scipys_students_t() -> None:
    for number in NUMBERS:
        values = cases.splits(number)[: 2 + number % 8]
        found = ours.over_seeds(values)
        expected = scipy.stats.t.interval(
            0.95, len(values) - 1, values.mean(), scipy.stats.sem(values)
        )
        close([found.low, found.high], expected)
