"""Explainers enter by a hook: a stranger's way to explain is asked as core's own."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers.explained_runs import tiny
from multigraft.errors import PluginError, PredictError
from multigraft.plugins.catalog import Catalog
from multigraft.testing.check_names import explainer
from multigraft.testing.check_units import weighs
from multigraft.testing.checks import Skipped

NAMES = [
    *("occlusion", "lime", "integrated-gradients", "gradient-x-input", "grad-cam"),
    "attention-rollout",
]


def first(subject: Any, options: Any) -> mg.Attribution:
    """All weight on the first unit."""
    weights = np.zeros(subject.count)
    weights[0] = options["weight"]
    return mg.Attribution(weights)


def made(**fields: Any) -> mg.Explainer:
    option = mg.Option(default=1.0, help="of the first unit")
    given = {"name": "first", "explain": first, "help": "one unit", "options": {"weight": option}}
    return mg.Explainer(**{**given, **fields})


class Brings:
    def __init__(self, *explainers: Any) -> None:
        self.explainers = explainers

    @mg.hookimpl
    def register_explainers(self) -> list[mg.Explainer]:
        return list(self.explainers)


def test_core_s_own_enter_by_it() -> None:
    catalog = Catalog(discover=False)
    assert [each.name for each in catalog.explainers()] == NAMES
    assert catalog.owner("explainers", "lime").name == "engine"
    assert catalog.explainer("grad-cam").kinds == ("patches",)


@pytest.mark.parametrize(
    ("explainers", "said"),
    [
        ([made(name="lime")], "explainer 'lime' is already registered by plugin 'engine'"),
        ([made(), made()], "explainer 'first' is registered twice"),
        ([made(kinds=("word",))], "'first' weighs 'word'; did you mean 'words'"),
        ([made(explain=None)], "explain of 'first' must be a function"),
        (["first"], "register_explainers gave str; Explainer records are needed"),
    ],
)
def test_what_is_no_explainer_is_refused_whole(explainers: list[Any], said: str) -> None:
    catalog = Catalog(discover=False)
    with pytest.raises(PluginError, match=re.escape(said)):
        catalog.admit(Brings(*explainers))
    assert len(catalog.explainers()) == len(NAMES)


def test_a_stranger_s_explains_a_bundle_and_is_measured() -> None:
    text = tiny("text")
    predictor = mg.load(text.bundle, catalog=Catalog([Brings(made())]))
    found = predictor.explain("a great film", method="first", weight=2, faithfulness=True)
    assert found.weights.tolist() == [2, 0, 0]
    assert found.faithfulness is not None
    with pytest.raises(PredictError, match="weight is 'two'; it should be a number"):
        predictor.explain("a great film", method="first", weight="two")


@pytest.mark.parametrize(
    ("explain", "said"),
    [
        (lambda subject, options: [1.0], "gave list; mg.Attribution is needed"),
        (lambda subject, options: mg.Attribution(np.ones(1)), r"weights \[1\]; a finite number"),
        (
            lambda subject, options: mg.Attribution(np.full(subject.count, np.nan)),
            "a finite number for each of 3 units",
        ),
    ],
)
def test_what_a_stranger_s_gives_is_checked(explain: Any, said: str) -> None:
    predictor = mg.load(tiny("text").bundle, catalog=Catalog([Brings(made(explain=explain))]))
    with pytest.raises(PluginError, match=said):
        predictor.explain("a great film", method="first")


@pytest.mark.parametrize("name", NAMES)
def test_core_s_own_keep_the_contract(name: str) -> None:
    record = Catalog(discover=False).explainer(name)
    subject: Any = SimpleNamespace(record=record, bench=None)
    assert list(explainer(subject)) == []
    if record.gradients:
        with pytest.raises(Skipped, match="only a network has"):
            list(weighs(subject))
    else:
        assert list(weighs(subject)) == []
