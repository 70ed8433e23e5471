"""The answers of a noisy int8 graph are explained by the bundle's fp32, or a row at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers.explained_runs import tiny
from multigraft.runtime.explain.precise import Precise, explaining_graph
from multigraft.runtime.serving.limits import Limits
from multigraft.runtime.serving.model import Model


@pytest.fixture
def noisy(monkeypatch: pytest.MonkeyPatch) -> mg.Predictor:
    """A bundle whose outputs depend on how many rows are computed together, as int8's do."""
    predictor = tiny("text").predictor
    real = predictor.row_outputs

    def outputs(rows: Any) -> Any:
        return [
            {name: array * (1 - 0.01 * len(rows)) for name, array in each.items()}
            for each in real(rows)
        ]

    monkeypatch.setattr(predictor, "row_outputs", outputs)
    predictor.precision = "int8"
    return predictor


def test_fp32_explains_what_int8_answers(noisy: mg.Predictor) -> None:
    opened: list[int] = []

    def again() -> mg.Predictor:
        opened.append(1)
        return tiny("text").predictor

    noisy.precise = Precise(again, size=1000)
    wanted = tiny("text").predictor.explain("a great film")
    for found in noisy.explain(["a great film"] * 2):
        np.testing.assert_allclose(found.weights, wanted.weights, atol=1e-6)
        assert (found.precision, found.to_dict()["precision"]) == ("fp32", "fp32")
        assert found.value == pytest.approx(0.99 * wanted.value, rel=1e-5), "as int8 answers"
        assert found.value == pytest.approx(found.answer["scores"][found.of])
        assert found.explained_value == pytest.approx(wanted.value, rel=1e-5)
    assert opened == [1]


def test_without_fp32_rows_are_computed_one_at_a_time(noisy: mg.Predictor) -> None:
    found = noisy.explain("a great film")
    wanted = tiny("text").predictor.explain("a great film")
    np.testing.assert_allclose(found.weights, 0.99 * wanted.weights, atol=1e-6)
    assert (found.precision, found.explained_value) == ("int8", None)
    assert found.value == pytest.approx(found.answer["scores"][found.of])


def test_a_server_opens_no_graph_beyond_its_memory(noisy: mg.Predictor) -> None:
    noisy.precise = Precise(lambda: tiny("text").predictor, size=1000)
    served = Model("reviews", noisy, mg.Catalog().modality("text"))
    for memory, precision in ((999, "int8"), (1000, "fp32")):
        explains = served.within(Limits(memory=memory)).explains
        assert explains is not None
        asked = explains.check({})
        said = explains.explain("a great film", asked, lambda compute: compute)
        assert said["precision"] == precision


def test_a_precise_bundle_explains_itself() -> None:
    predictor = tiny("text").predictor
    assert predictor.precise is None
    assert explaining_graph(predictor).precision == "fp32"
    assert predictor.explain("a film").explained_value is None
