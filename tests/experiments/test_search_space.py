"""A search is checked whole before anything runs: ranges, conditions, and every end of them."""

from __future__ import annotations

from typing import Any

import pytest

import multigraft_series
from multigraft.errors import RecipeError
from multigraft.experiments.plan import Plan, read_plan
from multigraft.experiments.search.space import Search, examples
from multigraft.experiments.values import Choice
from multigraft.plugins.catalog import Catalog

CATALOG = Catalog([multigraft_series], discover=False)
RATE = {"low": 1e-4, "high": 1e-1, "log": True}
SPACE = {
    "strategy": ["full", {"name": "partial", "blocks": 1}],
    "strategy.blocks": {"low": 1, "high": 2, "when": {"strategy": "partial blocks=1"}},
    "training.learning_rate": RATE,
}


def plan(grid: Any, space: Any = SPACE, **fields: Any) -> Plan:
    asked = {"search": {"space": space, "trials": 3}, **fields}
    return read_plan({**grid, **asked}, CATALOG)


def problems(grid: Any, space: Any, **fields: Any) -> str:
    with pytest.raises(RecipeError) as error:
        plan(grid, space, **fields)
    return "\n".join(error.value.problems)


def test_each_combination_but_the_seed_has_a_study(grid: Any) -> None:
    made = plan(grid, vary={"data": ["a", "b"], "seed": [0, 1, 2]}, cells=[{"data": "c"}])
    assert [study.name for study in made.studies] == ["a", "b"]
    assert [len(study.finals) for study in made.studies] == [3, 3]
    assert [run.cell.data for run in made.runs] == ["c"], "a baseline is not searched for"
    example = made.studies[1].example
    assert example.cell.data == "b" and example.recipe["training"]["learning_rate"] == 1e-4
    assert [study.name for study in plan(grid, vary={"seed": [0]}, **data(grid)).studies] == [
        "search"
    ]


def data(grid: Any) -> dict[str, Any]:
    return {"recipe": {**grid["recipe"], "data": grid["domains"]["a"]}}


def test_conditions_decide_what_is_drawn() -> None:
    search = Search.model_validate({"space": SPACE})
    found = [{name: choice.label for name, choice in each.items()} for each in examples(search, {})]
    assert found == [
        {"strategy": "full", "training.learning_rate": "0.0001"},
        {
            "strategy": "partial blocks=1",
            "strategy.blocks": "1",
            "training.learning_rate": "0.0001",
        },
        {
            "strategy": "partial blocks=1",
            "strategy.blocks": "1",
            "training.learning_rate": "0.0001",
        },
        {
            "strategy": "partial blocks=1",
            "strategy.blocks": "2",
            "training.learning_rate": "0.0001",
        },
        {"strategy": "full", "training.learning_rate": "0.1"},
    ]
    rank = Search.model_validate({"space": {"x": {"choices": [1], "when": {"task": ["a", "b"]}}}})
    assert rank.space["x"].active({"task": Choice("b", "b")})
    assert not rank.space["x"].active({"task": Choice("c", "c")})
    assert not rank.space["x"].active({})


@pytest.mark.parametrize(
    ("space", "told"),
    [
        ({}, "search.space: holds no field"),
        ({"data": ["a"]}, "search.space.data: other data have other validation rows"),
        ({"seed": [0, 1]}, "search.space.seed: a seed that is chosen is luck"),
        ({"output": ["x"]}, "search.space.output: every run lies in the experiment's folder"),
        ({"training.epochs": {"low": 1}}, "search.space.training.epochs: give low and high"),
        ({"training.epochs": {"low": 2, "high": 1}}, "low is 2 and high 1; low must be less"),
        ({"training.epochs": []}, "holds no value"),
        ({"training.epochs": [1, 1]}, "or one twice"),
        ({"x": {"low": 0.0, "high": 1.0, "log": True}}, "a logarithm needs more than 0"),
        ({"x": {"low": 0.1, "high": 1.0, "step": 0}}, "x.step: found 0"),
        ({"x": {"choices": [1], "when": {"y": 1}}}, "x.when.y: allowed are fields that stand"),
        (
            {
                "strategy": ["full"],
                "training.epochs": {"choices": [1], "when": {"strategy": "ful"}},
            },
            'training.epochs.when.strategy: found "ful"; allowed: full',
        ),
        ({"training.epoch": [1]}, "training.epoch: no such field; did you mean"),
        ({"training.epochs": {"low": -1, "high": 2}}, "training.epochs: found -1; "),
        ({"training.epochs": {"low": 1, "high": 2, "lag": 1}}, "lag: no such field"),
    ],
)
def test_what_is_wrong_is_told(grid: Any, space: Any, told: str) -> None:
    assert told in problems(grid, space)


def test_the_end_of_a_range_that_no_recipe_takes_is_told_with_its_trial(grid: Any) -> None:
    said = problems(grid, {"training.dropout": {"low": 0.0, "high": 1.5}, "strategy": ["full"]})
    assert "(trial {data: a, training.dropout: " in said


def test_what_varies_is_not_searched_and_a_grid_needs_steps(grid: Any) -> None:
    vary = {"training.epochs": [1, 2], "data": ["a"]}
    assert "varies too" in problems(grid, {"training.epochs": [1]}, vary=vary)
    asked = {"space": {"training.learning_rate": RATE}, "sampler": "grid"}
    with pytest.raises(RecipeError, match="the sampler grid tries every value; give a step"):
        read_plan({**grid, "search": asked}, CATALOG)


def test_a_search_is_the_same_after_a_trip_through_its_file(grid: Any, tmp_path: Any) -> None:
    made = plan(grid)
    file = tmp_path / "grid.yaml"
    file.write_text(made.grid.to_yaml())
    assert read_plan(file, CATALOG) == made
