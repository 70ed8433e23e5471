"""Labels that no row is answered with are told, with how many rows have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from multigraft.evaluation.unanswered import unanswered_notes
from multigraft.runtime.answers.span_scores import span_counts
from multigraft_text.tagging import TokenClassification

MATRIX = [[8, 0, 0, 0], [5, 0, 1, 0], [0, 0, 2, 0], [0, 0, 0, 0]]
CELLS = [(0, 0, 8), (1, 0, 5), (1, 2, 1), (2, 2, 2)]
LABELS = ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    "details",
    [
        {"confusion": {"labels": LABELS, "matrix": MATRIX}},
        {"confusion": {"labels": LABELS, "cells": CELLS}},
        {"label_counts": {"labels": LABELS, "expected": [8, 6, 2, 0], "answered": [13, 0, 3, 0]}},
    ],
    ids=["matrix", "cells", "counts"],
)
def test_a_label_that_is_never_answered_is_told_with_its_rows(details: dict[str, Any]) -> None:
    (note,) = unanswered_notes(details, rows="test")
    assert note.startswith("a label of the test rows is never answered: 'b' (6 true); ")
    answered = {"labels": LABELS, "expected": [1, 1, 1, 1], "answered": [1, 1, 1, 1]}
    assert unanswered_notes({"label_counts": answered}, rows="test") == []
    assert unanswered_notes({}, rows="test") == []


def test_of_many_the_most_frequent_are_named() -> None:
    counts = {
        "labels": [f"label {number}" for number in range(9)],
        "expected": list(range(9)),
        "answered": [9, *[0] * 8],
    }
    (note,) = unanswered_notes({"label_counts": counts}, rows="validation")
    assert note.startswith("8 labels of the validation rows are never answered: 'label 8' (8 true)")
    assert "'label 4' (4 true) and 3 more" in note and "label 3" not in note


def test_types_of_spans_are_counted_by_the_answers() -> None:
    spans = [{"start": 0, "end": 2, "label": "PER"}, {"start": 4, "end": 6, "label": "LOC"}]
    counts = [span_counts(spans[:1], spans, ("LOC", "PER")) for _ in range(3)]
    objective = TokenClassification.__new__(TokenClassification)
    objective.labels = ("LOC", "PER")
    details = objective.details({"spans": np.stack(counts)})
    (note,) = unanswered_notes(details, rows="test")
    assert "'LOC' (3 true)" in note and "PER" not in note
    assert objective.details({"loss": np.zeros(3)}) == {}
