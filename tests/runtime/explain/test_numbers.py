"""The one number of an answer that is explained: where it stands, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import multigraft as mg
from multigraft.contracts.answers import ExplainedNumber, explains
from multigraft.errors import PredictError
from multigraft.runtime.answers.registry import ANSWERS, named_answers

LABELS = {"labels": ["a", "b", "c"]}
ASKED = {"top_k": None, "threshold": None}


def answered(name: str, targets: dict[str, Any], **outputs: Any) -> tuple[mg.Answers, Any]:
    answers = named_answers(name, targets)
    window = mg.Window({}, {key: np.array(value) for key, value in outputs.items()})
    return answers, answers.answer("", [window], ASKED)


@pytest.mark.parametrize("name", ["classification", "multilabel"])
def test_the_most_probable_label_or_the_one_asked_for(name: str) -> None:
    answers, answer = answered(name, LABELS, probabilities=[0.2, 0.7, 0.1])
    assert answers.explained(answer, None) == ExplainedNumber("b", "probabilities", (1,))
    assert answers.explained(answer, "c").place == (2,)
    with pytest.raises(PredictError, match="there is no label 'd'; allowed: a, b, c"):
        answers.explained(answer, "d")


def test_a_number_by_its_name_and_the_median_of_quantiles() -> None:
    answers, answer = answered("regression", {"names": ["x", "yield"]}, numbers=[1.0, 2.0])
    assert answers.explained(answer, None).place == (0,)
    assert answers.explained(answer, "yield").place == (1,)
    with pytest.raises(PredictError, match="no number 'yeld'; did you mean 'yield'"):
        answers.explained(answer, "yeld")
    targets = {"names": ["target"], "quantiles": [0.1, 0.5, 0.9]}
    answers, answer = answered("regression", targets, numbers=[[1.0, 2.0, 3.0]])
    assert answers.explained(answer, None) == ExplainedNumber("target", "numbers", (0, 1))


def test_no_other_answers_are_explained() -> None:
    assert {name for name in ANSWERS if name not in ("classification", "multilabel", "regression")}
    for name, make in ANSWERS.items():
        method = getattr(make, "explained", None)
        own = method is not None and method is not mg.Answers.explained
        assert own is (name in ("classification", "multilabel", "regression"))
    assert not explains(named_answers("outputs", {}))
