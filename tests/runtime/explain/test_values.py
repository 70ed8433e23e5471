"""Explanations of a bundle alone: equal to the run's, in units that stand where they say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers.explained_runs import tiny
from helpers.toy_server import predictor
from multigraft.errors import PredictError
from multigraft.runtime.answers.registry import named_answers
from multigraft.runtime.explain.values import check_explains, explanation_asks

MODALITIES = ("text", "image", "audio", "table")


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_bundle_is_explained_as_its_run(modality: str) -> None:
    made = tiny(modality)
    alone = made.predictor.explain(made.value)
    found = made.run.explain([made.value], faithfulness=False, sanity=False, quiet=True)
    by_torch = found.rows[0].by["occlusion"]
    np.testing.assert_allclose(alone.weights, by_torch.weights, atol=1e-5)
    assert alone.of == by_torch.of
    assert alone.value == pytest.approx(by_torch.value, abs=1e-5)
    assert alone.value == pytest.approx(made.predictor.predict(made.value)["score"], abs=1e-6)
    assert np.abs(alone.weights).max() > 1e-4, "something matters"
    assert alone.calls == len(alone.weights) + 3


def test_words_stand_where_they_say() -> None:
    text = "  the great film, was it?"
    found = tiny("text").predictor.explain(text).to_dict()["units"]
    assert [text[unit["start"] : unit["end"]] for unit in found] == [u["unit"] for u in found]
    assert [unit["unit"] for unit in found] == "the great film , was it ?".split()


def test_words_of_a_pair_stand_in_their_texts() -> None:
    pair = ("a great film", "some river")
    reader = tiny("text").run.reader
    found: Any = reader.units(pair, reader.read(pair))  # type: ignore[attr-defined]
    assert found.shown == pair
    names = [pair[text][first:after] for text, first, after in found.places.tolist()]
    assert names == list(found.names) == "a great film some river".split()


def test_what_is_cut_off_is_no_unit() -> None:
    made = tiny("text")
    length = made.run.reader.spec()["max_length"]
    found = made.predictor.explain("film " * (2 * length))
    assert len(found.weights) <= length


def test_the_field_that_tells_weighs_most() -> None:
    found = tiny("table").predictor.explain({"telling": 2.0, "noise": 0.1, "colour": "red"})
    (units,) = found.units.values()
    assert units.names[int(np.abs(found.weights).argmax())] == "telling"


def test_a_missing_field_is_no_unit() -> None:
    found = tiny("table").predictor.explain({"telling": 2.0, "noise": None})
    assert found.units[""].names == ("telling",)


def test_another_label_is_explained_where_it_is_asked_for() -> None:
    made = tiny("text")
    one, other = (made.predictor.explain(made.value, of=label) for label in ("first", "second"))
    assert one.value + other.value == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(one.weights, -other.weights, atol=1e-5)


def test_many_values_have_an_explanation_each_and_chance_follows_from_the_seed() -> None:
    made = tiny("text")
    values = [made.value, "a great day"]
    found = made.predictor.explain(values, method="lime", samples=64, seed=3)
    again = made.predictor.explain(values, method="lime", samples=64, seed=3)
    assert len(found) == 2
    for one, other in zip(found, again, strict=True):
        np.testing.assert_array_equal(one.weights, other.weights)
        assert one.calls == 64 + 2


def test_faithfulness_is_measured_where_it_is_asked_for() -> None:
    made = tiny("text")
    found = made.predictor.explain(made.value, faithfulness=True)
    figures = found.to_dict()["faithfulness"]
    assert figures["deletion_gain"] == figures["random_auc"] - figures["deletion_auc"]
    assert made.predictor.explain(made.value).faithfulness is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"method": "occlusoin"}, "did you mean 'occlusion'"),
        ({"method": "integrated-gradients"}, "asks for gradients, which a bundle does not have"),
        ({"of": "frist"}, "there is no label 'frist'; did you mean 'first'"),
        ({"samples": 64}, "explainer 'occlusion' has no option 'samples'"),
        ({"method": "lime", "samples": 1}, "it should be at least 16"),
        ({"method": ["lime", "occlusion"]}, r"no explainer \['lime', 'occlusion'\]; allowed:"),
        ({"method": None}, "no explainer None"),
        ({"of": 1}, "there is no label '1'; allowed: first, second"),
        ({"of": ["first"]}, r"of is \['first'\]; it should be the name of a label"),
        ({"of": ""}, "of is ''; it should be the name"),
        ({"seed": -1}, "seed is -1; it should be a whole number, 0 or more"),
        ({"seed": "x"}, "seed is 'x'; it should be a whole number"),
    ],
)
def test_what_cannot_be_asked_is_told(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(PredictError, match=says):
        tiny("text").predictor.explain("a great film", **settings)


def test_what_cannot_be_read_is_the_readers_error() -> None:
    with pytest.raises(mg.RowError, match="empty"):
        tiny("text").predictor.explain("  ")
    with pytest.raises(mg.RowError, match="item 1: "):
        tiny("text").predictor.explain(["fine", "  "])


def test_answers_that_are_no_number_are_refused_by_name() -> None:
    tagging: Any = SimpleNamespace(
        writer=None,
        maker=named_answers("outputs", {}),
        bundle=SimpleNamespace(task="token-classification"),
    )
    with pytest.raises(PredictError, match="'token-classification' cannot be explained"):
        check_explains(tagging)


def test_a_reader_without_units_is_told() -> None:
    with pytest.raises(PredictError, match="'numbers' cannot be explained: its reader names no"):
        predictor("numbers").explain("1 2 3")


def test_a_server_offers_what_needs_no_gradients() -> None:
    asks = explanation_asks(tiny("text").predictor)
    assert asks["method"].choices == ("occlusion", "lime")
