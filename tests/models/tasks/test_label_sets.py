"""Labels in cells, and the spec that is learned of them."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from multigraft.errors import DataError, RowError
from multigraft.models.tasks.label_sets import label_set_spec, labels_in


@pytest.mark.parametrize(
    ("cell", "separator", "wanted"),
    [
        ("a|b", "|", ["a", "b"]),
        (" a | b | ", "|", ["a", "b"]),
        ("a, b;c", ",", ["a", "b;c"]),
        ("a; b", ";", ["a", "b"]),
        ("a|b", "", ["a|b"]),
        ('["a|b", "c"]', "|", ["a|b", "c"]),
        ("[sic] a", "|", ["[sic] a"]),
        ("[a|b]", "|", ["[a", "b]"]),
        (["b", "a", "b "], "|", ["b", "a"]),
        ([1, 1.0, "1"], "|", ["1"]),
        (3, "|", ["3"]),
        ("", "|", []),
        ("  ", "|", []),
        ("[]", "|", []),
        ([], "|", []),
        (None, "|", []),
    ],
)
def test_labels_of_a_cell(cell: Any, separator: str, wanted: list[str]) -> None:
    assert labels_in(cell, {"separator": separator}) == wanted


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (float("nan"), "label is missing: NaN"),
        (["a", None], "label is missing"),
        (["a", ["b"]], "label is a list"),
        ('[{"a": 1}]', "label is a dict"),
        ({"a": 1}, "label is a dict"),
    ],
)
def test_cells_that_hold_no_labels(cell: Any, told: str) -> None:
    with pytest.raises(RowError, match=told) as raised:
        labels_in(cell, {"separator": "|"})
    assert raised.value.column == "labels"


def test_labels_are_counted_once_a_row_and_sorted_as_people_do() -> None:
    spec = label_set_spec({"labels": [("10", "9"), (), None, ("9",)]})
    assert spec == {"labels": ["9", "10"], "counts": [2, 1], "rows": 3}


def test_a_column_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match="holds no label in the training rows"):
        label_set_spec({"labels": [(), None]})


@pytest.mark.parametrize(
    ("held", "warned"),
    [
        ([("a;b",), ("c;d",), ("e",)], True),
        ([("a;b",), ("c",), ("e",)], False),
        ([("a;b",), ("c;d", "e")], False),
    ],
)
def test_another_separator_is_told(
    held: list[tuple[str, ...]], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "multigraft"):
        label_set_spec({"labels": held})
    assert ("separator: ';'" in caplog.text) is warned
