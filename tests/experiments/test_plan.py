"""A grid is expanded and checked whole before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import multigraft_series
from multigraft.errors import RecipeError
from multigraft.experiments.combinations import label_of
from multigraft.experiments.plan import Plan, read_plan
from multigraft.plugins.catalog import Catalog

CATALOG = Catalog([multigraft_series], discover=False)


def plan(grid: Any, **fields: Any) -> Plan:
    return read_plan({**grid, **fields}, CATALOG)


def problems(grid: Any, **fields: Any) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as error:
        plan(grid, **fields)
    return error.value.problems


def test_every_combination_is_a_cell_with_a_recipe_of_its_own(grid: Any) -> None:
    made = plan(
        grid,
        vary={
            "data": ["all"],
            "strategy": ["full", {"name": "partial", "blocks": 1}],
            "training.learning_rate": [0.1, 0.01],
            "seed": [0, 1],
        },
    )
    assert len(made.runs) == 3 * 2 * 2 * 2
    assert len({run.key for run in made.runs}) == len(made.runs)
    last = made.runs[-1]
    assert last.cell.varied == {
        "data": "c",
        "strategy": "partial blocks=1",
        "training.learning_rate": 0.01,
    }
    assert (last.cell.seed, last.cell.data) == (1, "c")
    assert last.key.startswith("c-partial-blocks-1-learning_rate0.01-seed1-")
    assert last.recipe["data"]["train"] == grid["domains"]["c"]["train"]
    assert last.recipe["data"]["leakage"]["allowed"] == 1, "what all data share stays"
    assert last.recipe["strategy"] == [{"name": "partial", "blocks": 1}]
    assert last.recipe["training"]["learning_rate"] == 0.01
    assert last.recipe["training"]["epochs"] == 1


def test_a_key_is_that_of_the_recipe(grid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = [run.key for run in plan(grid).runs]
    assert [run.key for run in plan(grid, output="elsewhere", workers=2).runs] == first
    longer = [run.key for run in plan(grid, vary={"data": ["a", "b"], "seed": [0, 1]}).runs]
    assert set(first) < set(longer)
    recipe = {**grid["recipe"], "training": {"epochs": 2}}
    assert not set(first) & {run.key for run in plan(grid, recipe=recipe).runs}
    monkeypatch.chdir(Path(grid["domains"]["a"]["train"]).parent)
    near = {
        name: {split: Path(path).name for split, path in each.items()}
        for name, each in grid["domains"].items()
    }
    assert [run.key for run in plan(grid, domains=near).runs] == first


def test_values_may_have_names_and_parts_of_a_field_may_vary(grid: Any) -> None:
    made = plan(
        grid,
        vary={"strategy": {"top": {"name": "partial", "blocks": 2}}, "strategy.blocks": [1, 2]},
        recipe={**grid["recipe"], "data": grid["domains"]["a"]},
    )
    assert [run.cell.varied for run in made.runs] == [
        {"strategy": "top", "strategy.blocks": 1},
        {"strategy": "top", "strategy.blocks": 2},
    ]
    assert [run.recipe["strategy"][0]["blocks"] for run in made.runs] == [1, 2]


def test_some_are_excluded_and_others_listed(grid: Any) -> None:
    made = plan(
        grid,
        vary={"data": ["a", "b"], "seed": [0, 1]},
        exclude=[{"data": "b", "seed": [1]}],
        cells=[{"data": "c", "seed": 7, "training.epochs": 2}],
    )
    assert [(run.cell.data, run.cell.seed) for run in made.runs] == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
        ("c", 7),
    ]
    assert [run.cell.varied["training.epochs"] for run in made.runs] == [None, None, None, 2]
    assert problems(grid, exclude=[{"data": ["a", "b"]}]) == (
        "exclude: leaves no cell; leave some of it out",
    )


def test_a_grid_of_one_recipe_is_one_cell(grid: Any) -> None:
    made = plan(grid, vary={}, recipe={**grid["recipe"], "data": grid["domains"]["a"]})
    assert [run.cell.varied for run in made.runs] == [{}]


def test_the_data_that_all_share_may_be_a_domain(grid: Any) -> None:
    made = plan(grid, vary={"seed": [0]}, recipe={**grid["recipe"], "data": "c"})
    assert [run.cell.data for run in made.runs] == ["c"]
    assert made.runs[0].recipe["data"]["test"] == grid["domains"]["c"]["test"]


def test_where_runs_lie_is_the_experiments_own(grid: Any) -> None:
    found = problems(grid, recipe={**grid["recipe"], "output": "x"}, vary={"output": ["y"]})
    assert [line.partition(":")[0] for line in found[:2]] == ["recipe.output", "vary.output"]


def test_every_mistake_is_told_at_once(grid: Any) -> None:
    found = problems(
        grid,
        recipe={**grid["recipe"], "trainin": {}},
        domains={**grid["domains"], "far": "nowhere.csv", "test": grid["domains"]["a"]["train"]},
        vary={"data": ["a", "bb"], "training.epoch": [1], "strategy": ["ful"], "seed": [0, 0]},
        test_on=["far", "dd"],
        exclude=[{"sed": 1}, {"seed": 5}],
        worker=2,
    )
    told = "\n".join(found)
    for line in (
        "worker: no such field; did you mean 'workers'?",
        "domains.test: cannot be called so",
        "domains.far.train: nowhere.csv: there is no such file or folder",
        "domains.far.test: is missing",
        "test_on: no domain is called 'dd'; allowed: a, b, c",
        'vary.data: found "bb"; no domain is called so',
        "vary.seed: '0' stands there twice",
        "exclude.0.sed: does not vary; did you mean 'seed'?",
        "exclude.1.seed: found 5; ",
        "trainin: no such field; did you mean 'training'?",
        "training.epoch: no such field; did you mean 'training.epochs'?",
        "strategy.0: unknown strategy 'ful': did you mean 'full'?",
    ):
        assert line in told
    assert len(found) == len(set(found))


def test_a_mistake_in_a_domain_is_told_with_what_was_meant(grid: Any) -> None:
    named = {**grid["domains"], "b": {"trian": "b.csv"}}
    assert problems(grid, domains=named, vary={"seed": [0]}, test_on=[])[:2] == (
        "domains.b.train: is missing",
        "domains.b.trian: no such field; did you mean 'train'?",
    )


def test_a_mistake_of_some_cells_is_told_with_them(grid: Any) -> None:
    (line,) = problems(grid, vary={"data": ["a", "b"], "training.epochs": [1, -1]})
    assert line.startswith("training.epochs: found -1; ")
    assert line.endswith("(cell {data: a, training.epochs: -1} and 1 more)")


@pytest.mark.parametrize("field", ["format", "encoding"])
def test_domains_that_are_written_otherwise_are_refused(grid: Any, field: str) -> None:
    other = {"format": "csv", "encoding": "utf-16"}[field]
    named = {**grid["domains"]["b"], field: other}
    (line,) = problems(grid, domains={**grid["domains"], "b": named})
    assert line.startswith(f"domains: {field} is not the same (")


def test_two_cells_of_one_recipe_are_refused(grid: Any) -> None:
    (line,) = problems(grid, cells=[{"data": "a", "seed": 0}])
    assert "are the same run; leave one out" in line


def test_too_many_cells_are_refused(grid: Any) -> None:
    assert problems(grid, vary={"data": ["a"], "seed": list(range(10_001))}) == (
        "vary: makes 10,001 cells; at most 10,000 are allowed",
    )


def test_columns_of_other_domains_go_their_own_way(grid: Any) -> None:
    named = {**grid["domains"]["b"], "columns": {"series": "numbers"}}
    made = plan(grid, domains={**grid["domains"], "b": named})
    assert [domain.columns for domain in made.domains] == [{}, {"series": "numbers"}]
    assert made.runs[-1].recipe["data"]["columns"] == {"series": "numbers"}
    assert made.runs[0].recipe["data"]["columns"] == {}


def test_a_grid_is_the_same_after_a_trip_through_its_file(grid: Any, tmp_path: Path) -> None:
    made = plan(grid)
    file = tmp_path / "grid.yaml"
    file.write_text(made.grid.to_yaml())
    again = read_plan(file, CATALOG)
    assert again == made
    file.write_text(yaml.safe_dump({"recipe": 3}))
    with pytest.raises(RecipeError, match=r"grid.yaml: \d problems?\n  recipe: found 3"):
        read_plan(file, CATALOG)


def test_cells_that_share_a_frozen_part_take_turns(grid: Any) -> None:
    def turns(**fields: Any) -> list[str | None]:
        return [run.turn for run in plan(grid, **fields).runs]

    assert set(turns()) == {None}
    probe = {**grid["recipe"], "strategy": "linear-probe"}
    seeds = {"data": ["a", "b"], "seed": [0, 1]}
    first, second, third, fourth = turns(recipe=probe, vary=seeds)
    assert first == third != second == fourth, "from scratch, other seeds are other weights"
    off = {**probe, "training": {**probe["training"], "replay": "off"}}
    assert set(turns(recipe=off)) == {None}


def test_labels_are_short() -> None:
    assert label_of({"name": "bert", "weights": None}) == "bert weights=null"
    assert label_of(True) == "true"
