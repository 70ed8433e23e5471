"""Recipes of several branches: how they are written, and what is told of mistakes in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
from helpers import captioned
from multigraft.errors import RecipeError
from multigraft.models.tasks import classification_task
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe, read_mapping
from multigraft.recipe.resolve import read_recipe


class Alone:
    """A task of one modality."""

    @mg.hookimpl
    def register_tasks(self) -> list[mg.Task]:
        return [classification_task("grey-classification", "grey")]


CATALOG = Catalog([captioned, Alone()], discover=False)
BACKBONES = {"words": "wordnet-tiny", "grey": "lattice-tiny"}
RECIPE: dict[str, Any] = {"task": "classification", "backbone": BACKBONES, "data": "rows.csv"}


def problems(**changed: Any) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read_recipe({**RECIPE, **changed}, CATALOG)
    return caught.value.problems


def test_one_strategy_is_every_branchs() -> None:
    found = read_recipe({**RECIPE, "strategy": "linear-probe"}, CATALOG).branches
    assert {
        name: [strategy.name for strategy, _ in branch.strategies] for name, branch in found.items()
    } == {"words": ["linear-probe"], "grey": ["linear-probe"]}


def test_a_branch_of_which_nothing_is_said_learns_in_full() -> None:
    strategy = {"grey": [{"name": "partial", "blocks": 1}, "bitfit"]}
    resolved = read_recipe({**RECIPE, "strategy": strategy}, CATALOG)
    told = {
        name: [(each.name, dict(options)) for each, options in branch.strategies]
        for name, branch in resolved.branches.items()
    }
    assert told == {"words": [("full", {})], "grey": [("partial", {"blocks": 1}), ("bitfit", {})]}
    assert resolved.recipe.strategy_name == "words: full, grey: partial + bitfit"
    assert resolved.recipe.backbone_name == "wordnet-tiny+lattice-tiny"


def test_one_backbone_is_one_branch_without_a_name() -> None:
    resolved = read_recipe({**RECIPE, "backbone": "wordnet-tiny"}, CATALOG)
    assert list(resolved.branches) == [""] and not resolved.several
    assert resolved.modality is resolved.branches[""].modality


def test_it_is_written_and_read_alike(tmp_path: Any) -> None:
    recipe = Recipe.parse({**RECIPE, "strategy": {"words": "linear-probe"}})
    (tmp_path / "recipe.yaml").write_text(recipe.to_yaml())
    assert Recipe.parse(read_mapping(tmp_path / "recipe.yaml")) == recipe
    assert recipe.with_weights("scratch").branches["grey"].weights == "scratch"


def test_the_modality_is_composed_in_the_recipes_order() -> None:
    modality = read_recipe(RECIPE, CATALOG).modality
    assert list(modality.branches) == ["words", "grey"]
    assert modality.name == "words+grey" and modality.required == ("words", "grey")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"backbone": {"words": "wordnet-tiny"}},
            "it has no name; where it is written by branch",
        ),
        ({"backbone": {"a-b": "x", "c": "y"}}, "'a-b' is no name of a branch"),
        (
            {"backbone": {**BACKBONES, "grey": "latice-tiny"}},
            "backbone.grey: unknown backbone 'latice-tiny': did you mean 'lattice-tiny'?",
        ),
        (
            {"backbone": {**BACKBONES, "grey": {"name": "lattice-tiny", "weights": 3}}},
            "backbone.grey.weights: found 3; it should be text",
        ),
        ({"strategy": {"gray": "full"}}, "strategy.gray: no such branch; did you mean 'grey'?"),
        (
            {"strategy": {"grey": {"name": "partial", "block": 1}}},
            "strategy.grey.0.block: no such option; did you mean 'blocks'?",
        ),
        ({"strategy": {"grey": []}}, "strategy.grey: found []"),
        ({"reader": {"size": 3}}, "reader.size: no such branch; allowed: grey, words"),
        ({"reader": {"grey": {"size": 3}}}, "reader.grey.size: no such option"),
        ({"reader": {"grey": 3}}, "reader.grey: found 3; a mapping of options is needed"),
        (
            {"task": "grey-classification"},
            "task: 'grey-classification' takes one backbone; of several branches learn",
        ),
        (
            {"training": {"batch_budget": 8}},
            "training.batch_budget: the lengths of several branches have no unit in common",
        ),
        (
            {"backbone": {"words": "wordnet-tiny", "label": "lattice-tiny"}},
            "backbone.label: 'label' is the column of the task's targets",
        ),
        (
            {"backbone": {"words": "wordnet-tiny", "Words": "wordnet-tiny"}},
            "two branches are called alike but for their letters' case",
        ),
        ({"export": {"web": True}}, "export.web: a page without a server reads one modality"),
        ({"training": {"packing": 8}}, "training.packing: rows of several branches"),
        (
            {"training": {"augment": {"name": "light", "gray": {}}}},
            "training.augment.gray: no such branch; did you mean 'grey'?",
        ),
        (
            {"backbone": "wordnet-tiny", "strategy": {"words": "full"}},
            "strategy.words: there is one backbone, no branches",
        ),
        (
            {"backbone": "wordnet-tiny", "data": {"train": "a.csv", "missing": "allow"}},
            "data.missing: found 'allow'; it is for several branches",
        ),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_a_mistake_is_told_at_its_field(changed: dict[str, Any], said: str) -> None:
    assert any(said in problem for problem in problems(**changed)), problems(**changed)


def test_a_task_for_other_modalities_is_refused_by_branch() -> None:
    told = problems(task="marks", backbone={"words": "wordnet-tiny", "text": "bert-tiny"})
    assert any("unknown backbone 'bert-tiny'" in each for each in told)


def test_a_run_of_other_branches_says_which_it_has(tmp_path: Path) -> None:
    (tmp_path / "model" / "words").mkdir(parents=True)
    reader = {"branches": {"words": "words", "grey": "grey"}}
    (tmp_path / "run.json").write_text(json.dumps({"state": "finished", "reader": reader}))
    backbone = {"a": {"name": "wordnet-tiny", "weights": str(tmp_path)}, "grey": "lattice-tiny"}
    (told,) = problems(backbone=backbone)
    assert "is a run of the branches words, grey; name the folder of one" in told
    named = {"words": {"name": "wordnet-tiny", "weights": str(tmp_path)}, "grey": "lattice-tiny"}
    resolved = read_recipe({**RECIPE, "backbone": named}, CATALOG)
    assert resolved.branches["words"].origin.path == tmp_path / "model" / "words"


def test_names_and_fields_that_are_wrong_are_told_together() -> None:
    backbone = {"words": "wordnet-tny", "grey": "lattice-tiny"}
    told = problems(backbone=backbone, training={"epochs": -1})
    assert any("training.epochs" in each for each in told)
    assert any("backbone.words: unknown backbone 'wordnet-tny'" in each for each in told)
