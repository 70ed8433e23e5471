"""Answers of numbers, from outputs and targets that anybody may have written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.contracts.answers import Window
from multigraft.errors import BundleError
from multigraft.runtime.answers.regression import Regression

LEVELS = [0.1, 0.5, 0.9]


def window(values: Any, length: int = 1) -> Window:
    return Window({}, {"numbers": np.array(values, dtype=np.float32)}, length)


def test_windows_are_joined_before_quantiles_are_sorted() -> None:
    answers = Regression({"names": ["target"], "quantiles": LEVELS})
    found = answers.answer("", [window([[1, 3, 2]], 3), window([[5, 3, 10]], 1)], {})
    assert found == {"value": 3.0, "quantiles": {"0.1": 2.0, "0.5": 3.0, "0.9": 4.0}}


def test_quantiles_of_several_numbers() -> None:
    answers = Regression({"names": ["a", "b"], "quantiles": LEVELS})
    found = answers.answer("", [window([[1, 2, 3], [6, 5, 4]])], {})
    assert found["values"] == {"a": 2.0, "b": 5.0}
    assert found["quantiles"]["b"] == {"0.1": 4.0, "0.5": 5.0, "0.9": 6.0}


@pytest.mark.parametrize("values", [[1.0, 2.0], 1.0, [[1.0]], [float("nan")]])
def test_outputs_that_do_not_fit_are_refused(values: Any) -> None:
    with pytest.raises(BundleError):
        Regression({"names": ["target"]}).answer("", [window(values)], {})


@pytest.mark.parametrize("levels", [[0.1, 0.9], [0.9, 0.5], ["a", 0.5], 0.5, [True, 0.5]])
def test_levels_that_are_none_are_refused(levels: Any) -> None:
    with pytest.raises(BundleError, match="quantiles"):
        Regression({"names": ["target"], "quantiles": levels})
