"""Occlusion, LIME and faithfulness, on answers whose true weights are known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from multigraft.runtime.explain.faithfulness import area, hidden_first, measure_faithfulness
from multigraft.runtime.explain.occlusion import occlusion
from multigraft.runtime.explain.surrogate import drawn_masks, kernel, lime, ridge

OPTIONS = {"samples": 400, "width": 0.25, "ridge": 1.0}


@dataclass
class Known:
    """Units that each add a number; two of them together another."""

    own: np.ndarray
    together: float = 0.0
    seed: int = 0
    asked: list[np.ndarray] = field(default_factory=list)

    @property
    def count(self) -> int:
        return len(self.own)

    def scores(self, hidden: np.ndarray) -> np.ndarray:
        self.asked.append(hidden)
        there = ~hidden
        found: np.ndarray = there @ self.own + self.together * (there[:, 0] & there[:, 1])
        return found


OWN = np.array([0.5, -0.25, 0.0, 0.125, 0.0625])


def test_occlusion_is_what_the_answer_loses() -> None:
    known: Any = Known(OWN, together=1.0)
    assert occlusion(known, {}).weights.tolist() == [1.5, 0.75, 0.0, 0.125, 0.0625]
    assert len(known.asked[0]) == 6, "one row a unit, and the row itself"


def test_lime_finds_the_weights_of_what_is_linear() -> None:
    known: Any = Known(OWN)
    found = lime(known, {**OPTIONS, "ridge": 0.0})
    np.testing.assert_allclose(found.weights, OWN, atol=1e-9)
    assert found.told["r2"] == pytest.approx(1)


@pytest.mark.parametrize("own", [0.5, -0.0223, 0.0])
def test_lime_of_one_unit_is_exact(own: float) -> None:
    class One(Known):
        def scores(self, hidden: np.ndarray) -> np.ndarray:
            found: np.ndarray = 0.3 + ~hidden @ self.own
            return found

    one: Any = One(np.array([own]))
    found = lime(one, OPTIONS)
    assert found.weights.tolist() == pytest.approx([own]) and found.told == {"r2": 1.0}


def test_lime_says_where_no_linear_model_fits() -> None:
    known: Any = Known(np.zeros(5), together=1.0)
    found = lime(known, OPTIONS)
    assert found.told["r2"] < 0.9
    assert found.weights[0] > 0.1
    assert found.weights[0] == pytest.approx(found.weights[1], abs=0.15), "they share it"


def test_lime_draws_from_the_seed_alone() -> None:
    one, same, other = (
        lime(Known(OWN, together=1.0, seed=seed), OPTIONS).weights  # type: ignore[arg-type]
        for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_ridge_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    inputs, wanted, weights = rng.normal(size=(30, 4)), rng.normal(size=30), rng.random(30)
    theirs = Ridge(alpha=0.7).fit(inputs, wanted, sample_weight=weights)
    found = ridge(inputs, wanted, weights, 0.7)
    np.testing.assert_allclose(found, [theirs.intercept_, *theirs.coef_], atol=1e-10)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_masks_begin_with_the_row_and_hide_every_number_of_units(count: int) -> None:
    masks = drawn_masks(count, 300, np.random.default_rng(0))
    assert not masks[0].any()
    assert set(masks[1:].sum(1).tolist()) == set(range(1, count + 1))
    near = kernel(~masks, 0.25)
    assert near[0] == 1
    assert (np.diff(near[np.argsort(masks.sum(1), kind="stable")]) <= 1e-12).all()


def test_the_right_order_is_better_than_random_and_the_wrong_one_worse() -> None:
    rng = np.random.default_rng(0)
    own = rng.normal(size=24)
    for sign in (1, -1):
        known: Any = Known(own)
        found = measure_faithfulness(known, sign * own, seed=0)
        assert np.sign(found.deletion_gain) == np.sign(found.insertion_gain) == sign
    assert found.deletion[0] == found.insertion[-1] == pytest.approx(own.sum())
    assert found.deletion[-1] == found.insertion[0] == pytest.approx(0)


def test_areas_of_what_is_known() -> None:
    known: Any = Known(np.array([1.0, 0.0]))
    found = measure_faithfulness(known, np.array([1.0, 0.0]), seed=0)
    assert found.deletion.tolist() == [1.0, 0.0, 0.0]
    assert (found.deletion_auc, found.insertion_auc) == (0.25, 0.75)
    assert 0.25 <= found.random_auc <= 0.75


def test_a_random_order_has_one_area_whichever_way_it_is_gone() -> None:
    known: Any = Known(OWN, together=0.5)
    order, sizes = np.array([3, 0, 4, 1, 2]), np.arange(6)
    hidden = known.scores(hidden_first(order, sizes))
    shown = known.scores(~hidden_first(order[::-1], sizes))
    shares = sizes / 5
    assert area(shares, hidden) == pytest.approx(area(shares, shown))
