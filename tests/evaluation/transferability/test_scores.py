"""Each transferability score is its paper's formula, computed in another way on small cases."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from multigraft.evaluation.transferability import (
    h_score,
    leave_one_out,
    leep,
    logme,
    nce,
    regularised_h_score,
)


def log_evidence(features: np.ndarray, target: np.ndarray, precisions: np.ndarray) -> float:
    """log p(y | F) of y ~ N(0, I / beta + F F' / alpha), with the weights integrated out."""
    alpha, beta = np.exp(precisions)
    covariance = np.eye(len(target)) / beta + features @ features.T / alpha
    return float(multivariate_normal(cov=covariance).logpdf(target))


def largest_evidence(features: np.ndarray, target: np.ndarray) -> float:
    starts = product((-2.0, 2.0), (-1.0, 2.0))
    return max(
        -minimize(
            lambda precisions: -log_evidence(features, target, precisions),
            start,
            method="Nelder-Mead",
            options={"xatol": 1e-7, "fatol": 1e-11, "maxiter": 2000},
        ).fun
        for start in starts
    )


@pytest.mark.parametrize(("rows", "width"), [(30, 5), (12, 20)])
def test_logme_is_the_largest_evidence_of_a_number(rows: int, width: int) -> None:
    rng = np.random.default_rng(rows)
    features = rng.normal(size=(rows, width))
    target = features[:, 0] + 0.5 * rng.normal(size=rows)
    expected = largest_evidence(features, target) / rows
    assert logme(features, target[:, None]) == pytest.approx(expected, abs=1e-7)


def test_logme_of_labels_is_the_mean_of_each_label() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 40)
    features = rng.normal(size=(40, 6)) + np.eye(3)[labels] @ rng.normal(size=(3, 6))
    each = [largest_evidence(features, column) / 40 for column in np.eye(3)[labels].T]
    assert logme(features, np.eye(3)[labels]) == pytest.approx(np.mean(each), abs=1e-7)


def test_logme_of_what_features_give_exactly_is_finite_and_high() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(20, 4))
    exact, noise = logme(features, features[:, :1]), logme(features, rng.normal(size=(20, 1)))
    assert math.isfinite(exact)
    assert exact > noise + 5
    assert math.isfinite(logme(np.zeros((20, 4)), np.ones((20, 1))))


def test_h_score_is_a_trace_of_explicit_covariances() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 60)
    features = rng.normal(size=(60, 5)) + np.eye(4)[labels] @ rng.normal(size=(4, 5))
    means = np.array([features[labels == label].mean(0) for label in labels])
    inverse = np.linalg.inv(np.cov(features.T, bias=True))
    expected = np.trace(inverse @ np.cov(means.T, bias=True))
    assert h_score(features, labels) == pytest.approx(expected, rel=1e-9)
    assert 0 < h_score(features, labels) <= 3


def ledoit_wolf_shrinkage(features: np.ndarray) -> float:
    """Ledoit & Wolf 2004, lemma 3.2, row by row."""
    rows, width = features.shape
    centred = features - features.mean(0)
    sample = centred.T @ centred / rows
    middle = np.trace(sample) / width
    distance = ((sample - middle * np.eye(width)) ** 2).sum() / width
    spread = sum(((np.outer(row, row) - sample) ** 2).sum() / width for row in centred) / rows**2
    return float(min(spread, distance) / distance)


def test_regularised_h_score_shrinks_both_covariances() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 3, 30)
    features = rng.normal(size=(30, 12)) + 2 * np.eye(3)[labels] @ rng.normal(size=(3, 12))
    share = ledoit_wolf_shrinkage(features)
    sample = np.cov(features.T, bias=True)
    shrunk = (1 - share) * sample + share * np.trace(sample) / 12 * np.eye(12)
    means = np.array([features[labels == label].mean(0) for label in labels])
    between = (1 - share) * np.cov(means.T, bias=True)
    expected = np.trace(np.linalg.inv(shrunk) @ between)
    assert 0 < share < 1
    assert regularised_h_score(features, labels) == pytest.approx(expected, rel=1e-9)


def test_h_score_takes_noise_for_signal_where_rows_are_few_and_shrinkage_does_not() -> None:
    rng = np.random.default_rng(4)
    features, labels = rng.normal(size=(40, 39)), np.arange(40) % 2
    assert h_score(features, labels) > 0.9
    assert regularised_h_score(features, labels) < 0.1


def test_leep_and_nce_are_their_sums() -> None:
    rng = np.random.default_rng(5)
    source, labels = rng.dirichlet(np.ones(4), size=25), rng.integers(0, 3, 25)
    joint = {
        (label, kind): sum(source[row, kind] for row in range(25) if labels[row] == label) / 25
        for label in range(3)
        for kind in range(4)
    }
    whole = {kind: sum(joint[label, kind] for label in range(3)) for kind in range(4)}
    total = 0.0
    for row in range(25):
        terms = (joint[labels[row], kind] / whole[kind] * source[row, kind] for kind in range(4))
        total += math.log(sum(terms))
    assert leep(source, labels) == pytest.approx(total / 25, rel=1e-12)

    named = source.argmax(1)
    entropy = 0.0
    for label, kind in product(range(3), range(4)):
        both = float(((labels == label) & (named == kind)).mean())
        if both:
            entropy -= both * math.log(both / float((named == kind).mean()))
    assert nce(named, labels) == pytest.approx(-entropy, rel=1e-12)


def test_nce_of_classes_that_say_all_is_zero_and_of_none_the_entropy() -> None:
    labels = np.array([0, 0, 1, 1])
    assert nce(np.array([5, 5, 2, 2]), labels) == 0
    assert nce(np.zeros(4, int), labels) == pytest.approx(-math.log(2))


@pytest.mark.parametrize("neighbours", [1, 4])
def test_leave_one_out_is_scikit_learns_without_the_row(neighbours: int) -> None:
    from sklearn.neighbors import KNeighborsRegressor

    rng = np.random.default_rng(6)
    features, targets = rng.normal(size=(30, 3)), rng.normal(size=(30, 2))
    found = leave_one_out(features, targets, neighbours=neighbours)
    for row in range(30):
        others = np.delete(np.arange(30), row)
        model = KNeighborsRegressor(neighbours, metric="cosine")
        expected = model.fit(features[others], targets[others]).predict(features[[row]])
        np.testing.assert_allclose(found[[row]], expected)


def test_more_neighbours_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="from 1 to 4"):
        leave_one_out(np.ones((5, 2)), np.ones((5, 1)), neighbours=5)
