"""Numbers in cells, and the spec that is learned of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.errors import DataError, RowError
from multigraft.models.tasks.numbers import number_spec, numbers_in


@pytest.mark.parametrize(
    ("cell", "wanted"),
    [
        (3, {"target": 3.0}),
        (" -2.5e3 ", {"target": -2500.0}),
        (np.float32(0.5), {"target": 0.5}),
        ("[1, 2.5]", {"0": 1.0, "1": 2.5}),
        ([1, "2"], {"0": 1.0, "1": 2.0}),
        (np.array([1.0, 2.0]), {"0": 1.0, "1": 2.0}),
        ('{"valence": 1, "arousal": -1}', {"valence": 1.0, "arousal": -1.0}),
        ({"valence": 1}, {"valence": 1.0}),
    ],
)
def test_numbers_of_a_cell(cell: Any, wanted: dict[str, float]) -> None:
    assert numbers_in(cell) == wanted


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (None, "the target is missing"),
        ("", "is no number, list or object"),
        ("3,5", "'3,5' is no number"),
        ("nan", "missing: NaN"),
        (float("inf"), "is not finite"),
        (10**400, "is not finite"),
        (True, "is a bool"),
        ([], "holds no number"),
        ([1, None], "'1' of the target is missing"),
        ([1, [2]], "'1' of the target is a list"),
        ({"a": {"b": 1}}, "'a' of the target is a dict"),
        ("[1, 2", "is no number, list or object"),
    ],
)
def test_cells_that_hold_no_numbers(cell: Any, told: str) -> None:
    with pytest.raises(RowError, match=told) as raised:
        numbers_in(cell)
    assert raised.value.column == "target"


def test_what_is_learned_of_the_training_rows() -> None:
    spec = number_spec({"target": ['{"a": 1, "b": 5}', {"b": 9, "a": 3}, "broken", None]})
    assert spec == {
        "names": ["a", "b"],
        "means": [2.0, 7.0],
        "deviations": [1.0, 2.0],
        "medians": [2.0, 7.0],
    }


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([None, "x"], "holds no number in the training rows"),
        ([2, 2.0, "2"], "'target' is the same number in all training rows"),
        ([[1, 2], [1, 3]], "'0' is the same number"),
        ([1e308, -1e308], "too large"),
    ],
)
def test_columns_that_teach_nothing(cells: list[Any], told: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"), pytest.raises(DataError, match=told):
        number_spec({"target": cells})
