"""Rows of a run say whether they were answered rightly, and the wrong ones can be asked for."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers.explained_runs import tiny
from multigraft.errors import PredictError
from multigraft.evaluation.explain.expected import Expected, expected_of
from multigraft.models.tasks.shared import label_name
from multigraft.runs import explaining

PLAIN: dict[str, Any] = {"sanity": False, "faithfulness": False, "quiet": True}


def every_second_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count()
    monkeypatch.setattr(
        explaining, "expected_of", lambda *_, **__: Expected("this", next(numbers) % 2 == 0)
    )


def test_held_out_rows_say_what_was_expected(tmp_path: Path) -> None:
    run = tiny("text").run
    found, held = run.explain(4, into=tmp_path, **PLAIN), run.rows["test"]
    labels = {held.place(number): held.row(number)["label"] for number in range(len(held))}
    for row in found.rows:
        assert row.expected is not None
        assert row.expected.text == labels[row.place]
        answered = row.by["occlusion"].answer["label"]
        assert row.expected.right is (answered == row.expected.text)
        assert row.to_dict()["right"] is row.expected.right


def test_the_wrong_ones_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    every_second_is_wrong(monkeypatch)
    found = tiny("text").run.explain(3, wrong=True, into=tmp_path, **PLAIN)
    assert [row.expected for row in found.rows] == [Expected("this", False)] * 3
    page = (tmp_path / "explanations.html").read_text()
    assert page.count("<strong>wrong:</strong> expected <strong>this</strong>, answered") == 3


@pytest.mark.parametrize(
    ("right", "error", "told"),
    [
        (True, mg.RowError, "no held-out row is answered wrongly"),
        (None, PredictError, "not right or wrong"),
    ],
)
def test_where_there_are_none(
    monkeypatch: pytest.MonkeyPatch, right: bool | None, error: type[Exception], told: str
) -> None:
    monkeypatch.setattr(explaining, "expected_of", lambda *_, **__: Expected("this", right))
    with pytest.raises(error, match=told):
        tiny("text").run.explain(2, wrong=True, **PLAIN)
    with pytest.raises(PredictError, match="about held-out rows"):
        tiny("text").run.explain(["a film"], wrong=True, **PLAIN)


def test_a_label_is_compared_as_the_task_names_it() -> None:
    found = expected_of({"label": 3.0}, ["label"], {"label": "3"}, named=label_name)
    assert found == Expected("3", True)
    assert expected_of({"label": None}, ["label"], {"label": "3"}) is None
