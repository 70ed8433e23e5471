"""Domain tests keep their level however many features there are, and weights undo a shift."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import roc_auc_score

from multigraft.evaluation.domain_shift import density_ratio, domain_test, effective_rows
from multigraft.evaluation.transferability import folds_of


def two_sets(shift: float, *, rows: int, width: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    second = rng.normal(size=(rows, width))
    second[:, 0] += shift
    return rng.normal(size=(rows, width)), second


@pytest.mark.parametrize(("rows", "width"), [(40, 3), (25, 60)])
def test_one_distribution_is_told_apart_in_five_percent_of_cases(rows: int, width: int) -> None:
    found = [
        domain_test(*two_sets(0, rows=rows, width=width, seed=seed), permutations=99, seed=seed).p
        for seed in range(200)
    ]
    assert np.mean(np.array(found) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)
    assert np.mean(np.array(found) <= 0.5) == pytest.approx(0.5, abs=0.11)


def test_a_shift_is_found_and_larger_ones_lie_further_apart() -> None:
    sets = [two_sets(shift, rows=150, width=10, seed=0) for shift in (0.5, 1.0, 4.0)]
    near, middle, far = (domain_test(*each, permutations=199) for each in sets)
    assert near.p < 0.05
    assert middle.p == far.p == 1 / 200
    assert near.proxy_a_distance < middle.proxy_a_distance < far.proxy_a_distance <= 2
    assert far.accuracy > 0.95
    assert far.auc > 0.99


def test_the_classifier_is_scikit_learns_discriminant_where_rows_are_many() -> None:
    first, second = two_sets(1.0, rows=400, width=4, seed=1)
    found = domain_test(first, second, permutations=19, seed=0)
    rng = np.random.default_rng(0)
    both = np.concatenate([each[rng.permutation(400)] for each in (first, second)])
    belongs, fold = np.arange(800) >= 400, folds_of(None, 800, seed=0)
    right, areas = [], []
    for number in range(5):
        train, test = fold != number, fold == number
        model = LinearDiscriminantAnalysis(priors=[0.5, 0.5]).fit(both[train], belongs[train])
        right += (model.predict(both[test]) == belongs[test]).tolist()
        areas.append(roc_auc_score(belongs[test], model.decision_function(both[test])))
    assert found.accuracy == pytest.approx(np.mean(right), abs=0.01)
    assert found.auc == pytest.approx(np.mean(areas), abs=0.003)


def test_of_the_larger_set_as_many_are_drawn_and_too_few_are_refused() -> None:
    first, second = two_sets(0, rows=90, width=2, seed=0)
    assert domain_test(first, second[:30], permutations=9).rows == 30
    with pytest.raises(ValueError, match="9 rows of one set; 10 of each"):
        domain_test(first, second[:9])


def test_weights_make_the_source_look_like_the_target() -> None:
    rng = np.random.default_rng(2)
    source, target = rng.normal(size=(1500, 2)), rng.normal([1.0, 0.0], size=(1000, 2))
    weights = density_ratio(source, target, clip=50)
    assert weights.mean() == pytest.approx(1)
    assert (weights * source[:, 0]).mean() == pytest.approx(1.0, abs=0.15)
    exact = np.exp(source[:, 0] - 0.5)  # of two normal distributions
    assert np.corrcoef(np.log(weights), np.log(exact))[0, 1] > 0.99
    assert 300 < effective_rows(weights) < 1000  # 1500 / e of the exact ones: 552


def test_weights_are_nearly_equal_where_nothing_differs_and_never_beyond_the_clip() -> None:
    first, second = two_sets(0, rows=200, width=100, seed=3)
    assert effective_rows(density_ratio(first, second)) > 190
    far = density_ratio(*two_sets(6.0, rows=200, width=3, seed=4), clip=4)
    assert far.max() / far.min() <= 16 + 1e-9


def test_equal_weights_are_worth_every_row_and_one_weight_one() -> None:
    assert effective_rows(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_rows(np.array([5.0, 0.0, 0.0])) == 1
