"""Answers of several labels, from outputs and targets that anybody may have written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.contracts.answers import Window
from multigraft.errors import BundleError
from multigraft.runtime.answers.multilabel import MultiLabel

LABELS = {"labels": ["a", "b", "c"], "thresholds": [0.5, 0.25, 0.9]}
PLAIN = {"top_k": None, "threshold": None}


def window(values: list[float], length: int = 1) -> Window:
    return Window({}, {"probabilities": np.array(values, dtype=np.float32)}, length)


def test_each_label_has_a_threshold_of_its_own() -> None:
    found = MultiLabel(LABELS).answer("", [window([0.4, 0.3, 0.95])], PLAIN)
    assert found["labels"] == ["c", "b"]
    assert list(found["scores"]) == ["c", "a", "b"]


def test_no_label_may_be_sure_enough() -> None:
    assert MultiLabel(LABELS).answer("", [window([0.1, 0.1, 0.1])], PLAIN)["labels"] == []


def test_without_thresholds_half_is_enough() -> None:
    found = MultiLabel({"labels": ["a", "b"]}).answer("", [window([0.5, 0.49])], PLAIN)
    assert found["labels"] == ["a"]


def test_windows_are_joined_by_their_lengths() -> None:
    found = MultiLabel(LABELS).answer("", [window([1, 0, 0], 3), window([0, 1, 0], 1)], PLAIN)
    assert found == {"labels": ["a", "b"], "scores": {"a": 0.75, "b": 0.25, "c": 0.0}}


def test_a_threshold_is_compared_in_double_precision() -> None:
    """0.1 in single precision is more than 0.1, and less than the next double above it."""
    single = float(np.float32(0.1))
    below, above = np.nextafter(single, 0), np.nextafter(single, 1)
    for bar, wanted in ((below, ["a"]), (single, ["a"]), (above, [])):
        answers = MultiLabel({"labels": ["a"], "thresholds": [float(bar)]})
        assert answers.answer("", [window([0.1])], PLAIN)["labels"] == wanted


@pytest.mark.parametrize(
    "thresholds",
    [[0.5], [0.5, 0.5, 2], [0.5, 0.5, float("nan")], "half", [0.5, 0.5, "x"], {"a": 1}],
)
def test_thresholds_that_do_not_fit_are_refused(thresholds: Any) -> None:
    with pytest.raises(BundleError, match="threshold"):
        MultiLabel({**LABELS, "thresholds": thresholds})


@pytest.mark.parametrize("values", [[0.5, 0.5], [0.1, 0.2, float("nan")]])
def test_outputs_that_do_not_fit_are_refused(values: list[float]) -> None:
    with pytest.raises(BundleError):
        MultiLabel(LABELS).answer("", [window(values)], PLAIN)
