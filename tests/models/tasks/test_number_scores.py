"""Scores of numbers, beside scikit-learn's and scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from multigraft.models.tasks.number_scores import number_scores, pinball, quantile_scores

LEVELS = np.array([0.1, 0.5, 0.9])


def case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers with ties, far from 0, or nearly right."""
    rng = np.random.default_rng(seed)
    rows, numbers = rng.integers(3, 40), rng.integers(1, 4)
    wanted = rng.normal(rng.choice([0, 1e4]), 3, (rows, numbers))
    answered = wanted + rng.normal(0, rng.choice([0.1, 5]), wanted.shape)
    return (answered, wanted) if seed % 3 else (answered.round(), wanted.round())


@pytest.mark.parametrize("seed", range(300))
def test_they_are_scikit_learns_and_scipys(seed: int) -> None:
    answered, wanted = case(seed)
    found = number_scores(answered, wanted)
    columns = range(wanted.shape[1])
    constant = [
        np.ptp(answered[:, column]) == 0 or np.ptp(wanted[:, column]) == 0 for column in columns
    ]
    correlations = {
        name: np.mean(
            [
                0 if constant[column] else each(answered[:, column], wanted[:, column]).statistic
                for column in columns
            ]
        )
        for name, each in (("pearson", stats.pearsonr), ("spearman", stats.spearmanr))
    }
    assert found == pytest.approx(
        {
            "mae": oracle.mean_absolute_error(wanted, answered),
            "rmse": oracle.root_mean_squared_error(wanted, answered),
            "r2": oracle.r2_score(wanted, answered),
            "d2_absolute_error": oracle.d2_absolute_error_score(wanted, answered),
            **correlations,
        },
        rel=1e-9,
        abs=1e-9,
    )


@pytest.mark.parametrize("seed", range(60))
def test_pinball_losses_are_scikit_learns(seed: int) -> None:
    answered, wanted = case(seed)
    spread = np.sort(answered[..., None] + np.random.default_rng(seed).normal(0, 2, 3), axis=-1)
    losses = pinball(spread, wanted, LEVELS)
    for place, level in enumerate(LEVELS):
        assert losses[..., place].mean() == pytest.approx(
            oracle.mean_pinball_loss(wanted, spread[..., place], alpha=level), rel=1e-9
        )
    one = wanted[:, :1]
    found = quantile_scores(spread[:, :1, 1:2], one, LEVELS[1:2])["d2_pinball"]
    assert found == pytest.approx(oracle.d2_pinball_score(one, spread[:, :1, 1], alpha=0.5))


def test_coverage_counts_the_ends() -> None:
    wanted = np.array([[1.0], [3.0], [3.1], [0.9]])
    answered = np.tile(np.array([[[1.0, 2.0, 3.0]]]), (4, 1, 1))
    assert quantile_scores(answered, wanted, LEVELS)["interval_coverage"] == 0.5


def test_the_rows_own_quantiles_explain_nothing() -> None:
    wanted = np.random.default_rng(0).normal(size=(50, 2))
    own = np.moveaxis(np.quantile(wanted, LEVELS, axis=0), 0, -1)
    constant = np.broadcast_to(own, (50, 2, 3))
    assert quantile_scores(constant, wanted, LEVELS)["d2_pinball"] == pytest.approx(0)


@pytest.mark.parametrize(("answered", "wanted", "r2"), [(2.0, 2.0, 1.0), (1.0, 2.0, 0.0)])
def test_one_row_gives_finite_scores(answered: float, wanted: float, r2: float) -> None:
    found = number_scores(np.array([[answered]]), np.array([[wanted]]))
    assert found["r2"] == found["d2_absolute_error"] == r2
    assert found["pearson"] == found["spearman"] == 0
    assert all(np.isfinite(value) for value in found.values())
