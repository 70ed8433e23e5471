"""Confident learning: the paper's rule on cases made by hand, and cleanlab's answers."""

from __future__ import annotations

import numpy as np
import pytest

from multigraft.evaluation.label_doubts import class_thresholds, label_doubts


def test_a_row_is_doubted_where_another_label_reaches_its_mean() -> None:
    given = np.array([0, 0, 0, 1, 1, 1])
    probabilities = np.array(
        [[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.45, 0.55]]
    )
    assert class_thresholds(given, probabilities).tolist() == pytest.approx([0.6, 0.68333333])
    found = label_doubts(given, probabilities)
    assert found.doubted.tolist() == [False, False, True, False, False, False]
    assert found.likely.tolist() == [0, 0, 1, 1, 1, 1]
    assert found.score[2] == pytest.approx((0.1 - 0.9 + 1) / 2)
    assert found.order.tolist() == [2, 5, 4, 1, 3, 0]


def test_a_label_that_no_row_is_given_is_never_likely() -> None:
    found = label_doubts(np.array([0, 1]), np.array([[0.2, 0.2, 0.6], [0.1, 0.3, 0.6]]))
    assert found.doubted.tolist() == [False, False]


def made_up(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Given labels of which a tenth is wrong, probabilities, and which are wrong."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, labels, rows)
    wrong = rng.random(rows) < 0.1
    given = np.where(wrong, (true + rng.integers(1, labels, rows)) % labels, true)
    scores = rng.normal(0, 1, (rows, labels))
    scores[np.arange(rows), true] += 3
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return given, probabilities, wrong


@pytest.mark.parametrize("seed", range(3))
def test_cleanlab_doubts_the_same_rows(seed: int) -> None:
    filters = pytest.importorskip("cleanlab.filter")
    given, probabilities, wrong = made_up(2000, 5, seed)
    found = label_doubts(given, probabilities)
    theirs = filters.find_label_issues(
        given, probabilities, filter_by="confident_learning", n_jobs=1
    )
    assert np.array_equal(found.doubted, theirs)
    assert wrong[found.order[: wrong.sum()]].mean() > 0.85


def test_scores_are_cleanlabs_normalised_margin() -> None:
    rank = pytest.importorskip("cleanlab.rank")
    given, probabilities, _ = made_up(300, 4, 1)
    theirs = rank.get_label_quality_scores(given, probabilities, method="normalized_margin")
    assert label_doubts(given, probabilities).score == pytest.approx(theirs)
