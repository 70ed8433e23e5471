"""Scores of sets of labels, beside scikit-learn's."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from sklearn import metrics as oracle

from multigraft.models.tasks.label_set_scores import (
    best_thresholds,
    constant_f1,
    label_table,
    mean_average_precision,
    ranking_precision,
    set_scores,
)

CASES = 300


def case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores with ties, labels that no row has and that all have, rows without labels."""
    rng = np.random.default_rng(seed)
    rows, labels = rng.integers(1, 40), rng.integers(2, 12)
    steps = rng.choice([3, 10, 10**6])
    scores = (rng.integers(0, steps + 1, (rows, labels)) / steps).astype(np.float32)
    expected = rng.random((rows, labels)) < rng.choice([0, 0.1, 0.5, 1], labels)
    return scores, expected, scores >= 0.5


@pytest.mark.parametrize("seed", range(CASES))
def test_they_are_scikit_learns(seed: int) -> None:
    scores, expected, answered = case(seed)
    found = set_scores(answered, expected)
    there = np.flatnonzero(answered.any(0) | expected.any(0))
    macro = {
        "labels": there,
        "average": "macro",
        "zero_division": 0,
    }
    micro = {"average": "micro", "zero_division": 0}
    wanted = {
        "f1_micro": oracle.f1_score(expected, answered, **micro),
        "f1_macro": oracle.f1_score(expected, answered, **macro) if len(there) else 0.0,
        "precision_micro": oracle.precision_score(expected, answered, **micro),
        "recall_micro": oracle.recall_score(expected, answered, **micro),
        "subset_accuracy": oracle.accuracy_score(expected, answered),
        "hamming_loss": oracle.hamming_loss(expected, answered),
    }
    assert found == pytest.approx(wanted, abs=1e-9)
    ranking = float(ranking_precision(scores, expected).mean())
    assert ranking == pytest.approx(
        oracle.label_ranking_average_precision_score(expected, scores), abs=1e-9
    )
    each = [
        oracle.average_precision_score(expected[:, label], scores[:, label])
        for label in np.flatnonzero(expected.any(0))
    ]
    average = mean_average_precision(scores, expected)
    assert average == pytest.approx(np.mean(each) if each else 0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(60))
def test_no_threshold_gives_a_label_a_higher_f1(seed: int) -> None:
    scores, expected, _ = case(seed)
    for label, threshold in enumerate(best_thresholds(scores, expected)):
        column, held = scores[:, label].astype(float), expected[:, label]
        if not held.any():
            assert threshold == 0.5
            continue
        every = [
            oracle.f1_score(held, column >= bar, zero_division=0)
            for bar in [*np.unique(column), 2.0]
        ]
        best = oracle.f1_score(held, column >= threshold, zero_division=0)
        assert best == pytest.approx(max(every), abs=1e-12)


def test_a_threshold_lies_between_scores() -> None:
    scores = np.array([[0.9], [0.8], [0.2]], dtype=np.float32)
    (found,) = best_thresholds(scores, np.array([[True], [True], [False]]))
    assert found == pytest.approx(0.5)
    (lowest,) = best_thresholds(scores, np.array([[True], [True], [True]]))
    assert lowest == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(30))
def test_no_constant_answer_has_a_higher_f1(seed: int) -> None:
    expected = np.random.default_rng(seed).random((20, 4)) < 0.3
    sets = [np.array([bool(number >> bit & 1) for bit in range(4)]) for number in range(16)]
    every = [
        oracle.f1_score(expected, np.tile(one, (20, 1)), average="micro", zero_division=0)
        for one in sets
    ]
    value, count = constant_f1(expected)
    assert value == pytest.approx(max(every), abs=1e-12)
    assert 1 <= count <= 4


def test_a_table_names_the_most_frequent_label_first() -> None:
    expected = np.array([[True, True], [False, True], [False, False]])
    answered = np.array([[True, True], [True, False], [False, False]])
    heading, first, second = label_table(("a", "b"), answered, expected, np.array([0.5, 0.25]))
    assert heading == ("label", "rows", "threshold", "precision", "recall", "F1")
    assert first == ("b", "2", "0.25", "1.000", "0.500", "0.667")
    assert second == ("a", "1", "0.5", "0.500", "1.000", "0.667")


def test_time_grows_with_rows_times_labels() -> None:
    """20,000 rows of 500 labels; comparing every pair of rows would take hours."""
    rng = np.random.default_rng(0)
    scores = rng.random((20_000, 500), dtype=np.float32)
    expected = rng.random(scores.shape) < 0.01
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        began = time.perf_counter()
        mean_average_precision(scores, expected)
        set_scores(scores > 0.5, expected)
        assert time.perf_counter() - began < 60
