"""Recipes of preparations: every mistake at once, groups, and passes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import multigraft as mg
from multigraft.data.prepare.fields import Preparation, schema
from multigraft.data.prepare.plan import read_plan
from multigraft.errors import RecipeError
from multigraft.plugins.catalog import Catalog
from multigraft.preparing import Fields

CATALOG = Catalog()


def problems(**raw: Any) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read_plan(raw, CATALOG)
    return list(caught.value.problems)


def test_every_mistake_is_told_at_once() -> None:
    found = problems(
        sorce="a.txt",
        shard_mb=0,
        steps=["unicod", {"name": "length", "lo": 3}, {"name": "language", "least": 2}],
    )
    assert found == [
        "source: is missing",
        "shard_mb: found 0; it should be greater than or equal to 1",
        "sorce: no such field; did you mean 'source'?",
        "steps.0: unknown filter 'unicod': did you mean 'unicode'?",
        "steps.1.lo: no such option of 'length'; did you mean 'low'?",
        "steps.2.least: found 2; it should be at most 1",
    ]


def test_options_that_make_no_sense_together_are_told_with_the_rest() -> None:
    """Whatever a filter's own code says of its options, before any row is read."""
    found = problems(
        source="a.txt",
        steps=[
            {"name": "language", "keep": ["xx", "EN", "ptt"]},
            {"name": "language", "keep": []},
            {"name": "mask-words", "words": [" "]},
            {"name": "mask-words", "file": "none.txt"},
            {"name": "decontaminate", "against": "none.csv"},
            {"name": "length", "low": 50, "high": 20},
            {"name": "gopher-words", "low": 10, "high": 1},
            {"name": "audio-length", "low": 10, "high": 1},
            {"name": "gopher-stop-words", "words": ["a"]},
            {"name": "length", "low": -1},
        ],
    )
    said = [
        "language: 'xx': did you mean 'zxx'?; 'ptt': did you mean 'tt'?",
        "language: keep names no language",
        "mask-words: names no words",
        "mask-words: none.txt: cannot be read",
        "none.csv: does not exist",
        "length: nothing lies from low, 50, to high, 20",
        "gopher-words: nothing lies from low, 10",
        "audio-length: nothing lies from low, 10",
        "gopher-stop-words: at least 2 of 1 words are asked for",
    ]
    assert len(found) == 10
    for number, each in enumerate(said):
        assert found[number].startswith(f"steps.{number}: {each}"), found[number]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"workers": "x"}, "workers: found \"x\"; it should be a whole number or 'auto'"),
        ({"steps": [3]}, "steps.0: found 3; it should be a name, or a mapping with a name"),
        ({"steps": 3}, "steps: found 3; it should be a list"),
        ({"split": 3}, "split: found 3; it should be a mapping of fields"),
        ({"split": {"train": 0.5}}, "split.train: no such field; allowed: group, test, validation"),
        ({"modality": "txt"}, "modality: unknown modality 'txt': did you mean 'text'?"),
        ({"format": "jsn"}, "format: unknown format 'jsn'"),
        ({"encoding": "x-9"}, "it is no encoding of text"),
        ({"split": {"test": 0.5, "validation": 0.5}}, "leaves? nothing for training"),
        ({"split": {"test": True}}, "it should not be true or false"),
        ({"steps": [{"name": "gopher", "low": 3}]}, "'gopher' is a group of filters"),
        ({"modality": "table", "steps": ["near-duplicates"]}, "table has no sketches"),
        ({"data": "b.txt"}, "data: no such field; did you mean 'source'?"),
        ({"source": []}, "it should be a path"),
    ],
)
def test_a_mistake_is_told(raw: dict[str, Any], said: str) -> None:
    told = "\n".join(problems(**{"source": "a.txt", **raw}))
    assert said.replace("leaves?", "leave") in told


def test_a_group_stands_for_its_filters_at_their_defaults() -> None:
    plan = read_plan({"source": "a.txt", "steps": ["c4", "spaces"]}, CATALOG)
    names = [step.name for step in plan.steps]
    assert names[0] == "c4-citations" and names[-2:] == ["c4-sentences", "spaces"]
    assert [step.number for step in plan.steps] == list(range(len(names)))
    assert dict(plan.steps[-2].options) == {"least": 3}


def test_a_pass_ends_with_what_looks_for_duplicates() -> None:
    steps = ["spaces", "exact-duplicates", "near-duplicates", "markup"]
    passes = read_plan({"source": "a.txt", "steps": steps}, CATALOG).passes
    told = [([s.name for s in p.steps], p.duplicates and p.duplicates.name) for p in passes]
    assert told == [
        (["spaces"], "exact-duplicates"),
        ([], "near-duplicates"),
        (["markup"], None),
    ]
    assert len(read_plan({"source": "a.txt"}, CATALOG).passes) == 1


def test_the_fields_of_the_function_are_those_of_the_recipe() -> None:
    assert list(Fields.__annotations__) == list(Preparation.model_fields)


def test_a_recipe_is_the_same_once_it_is_written() -> None:
    given = Preparation(source="a.txt", steps=[{"name": "length", "low": 3, "column": "title"}])  # type: ignore[arg-type]
    assert Preparation.model_validate(yaml.safe_load(given.to_yaml())) == given
    assert "steps" in schema()["properties"]


class Shouting:
    """A plugin with one filter."""

    @mg.hookimpl
    def register_filters(self) -> list[mg.Filter]:
        judge = lambda options: lambda value: value.lower() if isinstance(value, str) else value  # noqa: E731
        return [
            mg.Filter(
                name="quiet",
                modality="text",
                help="Write small letters.",
                source="own",
                judge=judge,
                keeps=lambda: "a",
                drops=lambda: "A",
            )
        ]


def test_a_plugins_filter_is_a_step_like_any_other() -> None:
    plan = read_plan({"source": "a.txt", "steps": "quiet"}, Catalog([Shouting()]))
    assert plan.steps[0].filter.name == "quiet"
    assert plan.steps[0].column == "text"


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"judge": None}, "needs either judge"),
        ({"options": {"column": mg.Option(default=1, help="a")}}, "has an option 'column'"),
    ],
)
def test_a_filter_that_is_none_switches_its_plugin_off(fields: dict[str, Any], said: str) -> None:
    base = Shouting().register_filters()[0]
    record = mg.Filter(**{**vars(base), **fields})
    plugin = type("Odd", (), {"register_filters": mg.hookimpl(lambda self: [record])})()
    with pytest.raises(mg.MultigraftError, match=said):
        Catalog([plugin], discover=False)
