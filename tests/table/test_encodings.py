"""Encodings of columns beside scipy's normal scores and scikit-learn's scaling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm, rankdata
from sklearn.preprocessing import StandardScaler

from multigraft.errors import RowError
from multigraft_table.encodings import (
    KNOTS,
    KNOWN,
    UNSEEN,
    fitted_category,
    fitted_date,
    fitted_number,
    fitted_scale,
)


def drawn(count: int) -> np.ndarray:
    return np.random.default_rng(0).exponential(size=count).round(2)


def test_standardised_numbers_are_scikit_learns() -> None:
    values = drawn(500)
    scale = fitted_scale(values.tolist(), "standard")
    want = StandardScaler().fit_transform(values[:, None])[:, 0]
    assert np.allclose([scale(value) for value in values], want)
    assert scale(1e5) > 1e4, "what lies beyond goes on in a line"
    assert scale(-1e308) == -1e6


def test_normal_scores_are_scipys() -> None:
    values = drawn(200)
    scale = fitted_scale(values.tolist(), "quantile")
    scores = norm.ppf(rankdata(values) / (len(values) + 1))
    assert np.allclose([scale(value) for value in values], scores / scores.std(), atol=1e-9)
    assert scale(-5) == scale(float(values.min()))
    assert scale(1e9) == scale(float(values.max()))


def test_many_numbers_are_kept_at_few_knots() -> None:
    values = np.random.default_rng(1).normal(size=20_000)
    scale = fitted_scale(values.tolist(), "quantile")
    assert len(scale.knots) == KNOTS
    found = np.array([scale(value) for value in values])
    assert found.mean() == pytest.approx(0, abs=0.01)
    assert found.std() == pytest.approx(1, abs=0.01)
    assert np.all(np.diff(found[np.argsort(values)]) >= 0)


def test_large_numbers_do_not_overflow() -> None:
    scale = fitted_scale([1e300, -1e300, 5e299], "quantile")
    assert all(math.isfinite(scale(value)) for value in (1e300, -1e308, 0.0))


def test_the_frequent_categories_are_known_and_the_others_rare() -> None:
    column = fitted_category("city", ["a", "b", "a", "b", "c", 3, 3.0], least=2, most=2)
    assert column.categories == ["a", "b"]
    assert column.rare == ["3", "c"]
    assert [column.encode(cell)[1] for cell in ("a", "b", "c", "new")] == [
        [KNOWN],
        [KNOWN + 1],
        [UNSEEN],
        [UNSEEN],
    ]
    assert [column.is_new(cell) for cell in ("a", "c", 3, "new")] == [False, False, False, True]


def test_categories_of_one_row_each_are_known_where_there_are_no_others() -> None:
    assert fitted_category("city", ["b", "a"], least=2, most=9).categories == ["a", "b"]


def test_a_date_is_a_day_a_month_and_a_weekday() -> None:
    cells = ["2024-01-01", "2024-01-31", "2024-12-31"]
    column = fitted_date("joined", cells, "standard")
    numbers, categories = column.encode("2024-12-31")
    assert categories == [KNOWN + 11, KNOWN + 1], "a Tuesday in December"
    assert numbers[0] == pytest.approx(math.sqrt(2), abs=0.05)
    assert column.sizes == [KNOWN + 12, KNOWN + 7]
    assert (
        fitted_date("at", ["2024-01-01T07:00", "2024-01-02"], "standard").encode(
            "2024-01-01 07:30"
        )[1][2]
        == KNOWN + 7
    )


@pytest.mark.parametrize("cell", ["old", b"GIF89a", [1], 10**400])
def test_what_is_no_number_is_refused_by_its_column(cell: Any) -> None:
    column = fitted_number("age", [1, 2, "3"], "quantile")
    with pytest.raises(RowError, match=r"'age' holds .*; a number is needed"):
        column.encode(cell)
