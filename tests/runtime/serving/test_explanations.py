"""Explanations over HTTP: the predictor's own, one value at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers.explained_runs import tiny
from helpers.toy_server import Served, model, serving, wait_until
from multigraft.runtime.serving.model import Model


@pytest.fixture(scope="module")
def text() -> Iterator[Served]:
    predictor = tiny("text").predictor
    made = Model("reviews", predictor, mg.Catalog().modality("text"))
    with serving(made) as served:
        yield served


def explained(served: Served, inputs: Any, **more: Any) -> Any:
    return served.predict(inputs, path="/explain", **more)


def test_it_is_the_predictors_explanation(text: Served) -> None:
    said = explained(text, "a great film")
    assert said.status_code == 200
    (found,) = said.json()["answers"]
    wanted = tiny("text").predictor.explain("a great film").to_dict()
    assert [unit["unit"] for unit in found["units"]] == ["a", "great", "film"]
    for name in ("units", "calls", "of", "method"):
        if name == "units":
            weights = [[unit["weight"] for unit in side["units"]] for side in (found, wanted)]
            np.testing.assert_allclose(*weights, atol=1e-6)
        else:
            assert found[name] == wanted[name]


def test_what_may_be_asked_is_described_and_checked(text: Served) -> None:
    told = text.client.get("/models/reviews").json()["explains"]
    assert told["path"] == "/models/reviews/explain"
    assert told["asks"]["method"]["choices"] == ["occlusion", "lime"]
    found = explained(text, "a film", method="lime", of="second", faithfulness=True).json()
    assert found["answers"][0]["of"] == "second"
    assert "deletion_gain" in found["answers"][0]["faithfulness"]
    assert explained(text, "a film", method="grad-cam").status_code == 422
    assert "unknown key" in explained(text, "a film", samples=3).json()["error"]
    assert "no label 'third'" in explained(text, "a film", of="third").json()["error"]


def test_one_value_at_a_time_that_can_be_read(text: Served) -> None:
    assert "one value is explained at a time" in explained(text, ["a", "b"]).json()["error"]
    said = explained(text, " ")
    assert (said.status_code, said.json()["error"]) == (422, "the text is empty")


def test_a_model_that_is_not_explained_says_why() -> None:
    with serving(model("numbers")) as served:
        said = explained(served, "1 2 3")
        assert said.status_code == 422
        assert "its reader names no units" in said.json()["error"]
        assert "explains" not in served.client.get("/models/numbers").json()


def test_it_ends_with_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, computed, go = tiny("text").predictor, [], threading.Event()
    real = predictor.row_outputs

    def slow(rows: Any) -> Any:
        computed.append(len(rows))
        go.wait(10)
        return real(rows)

    monkeypatch.setattr(predictor, "row_outputs", slow)
    made = Model("reviews", predictor, mg.Catalog().modality("text"))
    with serving(made, timeout=0.5) as served:
        said = explained(served, "film " * 60, faithfulness=True)
        assert said.status_code == 504
        go.set()
        wait_until(lambda: len(served.predict("a film").json()["answers"]) == 1)
    assert len(computed) == 1, "no further part is computed once nobody waits"
