"""A recipe says everything that is wrong with it, at once, and survives YAML."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import multigraft as mg
import multigraft_series
from multigraft.errors import MultigraftError, RecipeError
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe, assign, check, read_mapping, schema
from multigraft.recipe.other_names import OTHER_NAMES
from multigraft.recipe.resolve import read_recipe

GOOD: dict[str, Any] = {"task": "series-classification", "backbone": "tcn-tiny", "data": "rows.csv"}

CATALOG = Catalog([multigraft_series], discover=False)
(TCN,) = multigraft_series.register_backbones()


@pytest.fixture
def catalog() -> Catalog:
    return CATALOG


def problems(raw: Any, catalog: Catalog) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as caught:
        read_recipe(raw, catalog)
    return caught.value.problems


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (
            {"training": {"lr": 1e-3}},
            "training.lr: no such field; did you mean 'training.learning_",
        ),
        ({"epochs": 3}, "epochs: no such field; did you mean 'training.epochs'?"),
        ({"max_steps": 3}, "max_steps: no such field; did you mean 'training.steps'?"),
        (
            {"batch_size": 3},
            "batch_size: no such field; did you mean 'training.batch_size' or 'evaluation.batch_s",
        ),
        (
            {"training": {"epoch": 3}},
            "training.epoch: no such field; did you mean 'training.epochs'",
        ),
        ({"output_dir": "x"}, "output_dir: no such field; did you mean 'output'?"),
        ({"outptu": "x"}, "outptu: no such field; did you mean 'output'?"),
    ],
)
def test_names_of_other_libraries_are_known(
    catalog: Catalog, fields: dict[str, Any], said: str
) -> None:
    (problem,) = problems({**GOOD, **fields}, catalog)
    assert problem.startswith(said)


def test_each_of_those_names_stands_for_a_field() -> None:
    def fields(model: type[BaseModel], above: str = "") -> Iterator[str]:
        for name, field in model.model_fields.items():
            yield f"{above}{name}"
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from fields(field.annotation, f"{above}{name}.")

    known = {*fields(Recipe), "backbone.weights"}
    wrong = [name for name in OTHER_NAMES.values() if name not in known]
    assert [name for name in wrong if not name.startswith("reader.")] == []
    assert OTHER_NAMES.keys().isdisjoint(name.rpartition(".")[2] for name in known)


def test_short_forms_and_yaml_round_trip() -> None:
    recipe = Recipe.parse({**GOOD, "strategy": ["full", {"name": "lora", "rank": 4}]})
    assert recipe.strategy[1].options == {"rank": 4}
    assert recipe.data.train == "rows.csv"
    assert Recipe.parse(yaml.safe_load(recipe.to_yaml())) == recipe


def test_five_mistakes_of_five_kinds_are_five_lines(catalog: Catalog) -> None:
    found = problems(
        {
            **GOOD,
            "backbone": "tcn-tny",
            "strategy": ["full", "layerwise-decay"],
            "training": {"epochs": -1, "batchsize": 3, "optimizer": "adam"},
        },
        catalog,
    )
    assert len(found) == 5
    text = "\n".join(found)
    assert "training.epochs: found -1; it should be greater than or equal to 0" in text
    assert "training.batchsize: no such field; did you mean 'batch_size'?" in text
    assert "training.optimizer: found \"adam\"; it should be 'adamw' or 'sgd'" in text
    assert "backbone: unknown backbone 'tcn-tny': did you mean 'tcn-tiny'?" in text
    assert "unknown strategy 'layerwise-decay': did you mean 'layer-wise-decay'?" in text


def test_options_are_checked(catalog: Catalog) -> None:
    found = problems(
        {
            **GOOD,
            "task": {
                "name": "series-classification",
                "label_smoothing": 0.9,
                "class_weight": "balanced",
            },
            "strategy": {"name": "partial", "blocks": "two"},
            "reader": {"longest": True},
        },
        catalog,
    )
    assert len(found) == 4
    text = "\n".join(found)
    assert "task.label_smoothing: found 0.9; it should be at most 0.5" in text
    assert "task.class_weight: no such option; did you mean 'class_weights'?" in text
    assert "strategy.0.blocks: found 'two'; it should be a whole number" in text
    assert "reader.longest: found True; it should be a whole number" in text


def test_weights_name_what_is_possible(catalog: Catalog, tmp_path: Path) -> None:
    found = problems({**GOOD, "backbone": {"name": "tcn-tiny", "weights": "./no/such"}}, catalog)
    assert (
        "backbone.weights: found './no/such'; it should be 'scratch', a file or folder" in found[0]
    )
    (tmp_path / "model").mkdir()
    raw = {**GOOD, "backbone": {"name": "tcn-tiny", "weights": str(tmp_path)}}
    assert read_recipe(raw, catalog).branches[""].origin.path == tmp_path / "model"
    raw = {**GOOD, "backbone": {"name": "tcn-tiny", "weights": "owner/name"}}
    assert problems(raw, catalog)[0].endswith("the folder of a run; 'tcn' opens no hub names")
    raw = {**GOOD, "backbone": {"name": "open-tiny", "weights": "owner/name"}}
    opens = Catalog([multigraft_series, Opener()], discover=False)
    assert read_recipe(raw, opens).branches[""].origin.hub == "owner/name"


class Opener:
    @mg.hookimpl
    def register_backbones(self) -> list[mg.Backbone]:
        return [replace(TCN, name="open", hub=True)]


def test_a_family_opens_hub_names_where_some_are_published() -> None:
    published = {"tiny": mg.Size(config={}, hub="owner/tiny")}
    assert not TCN.opens_hub
    assert replace(TCN, sizes=published).opens_hub
    assert replace(TCN, find=lambda size: None).opens_hub
    assert not replace(TCN, sizes=published, hub=False).opens_hub


def test_a_task_may_say_how_many_rows_a_batch_holds() -> None:
    class Large:
        @mg.hookimpl
        def register_tasks(self) -> list[mg.Task]:
            return [replace(CATALOG.task(GOOD["task"]), name="large", batch_size=5)]

    catalog = Catalog([multigraft_series, Large()], discover=False)
    raw = {**GOOD, "task": "large"}
    assert read_recipe(raw, catalog).recipe.training.batch_size == 5
    assert read_recipe(GOOD, catalog).recipe.training.batch_size == 32
    given = {**raw, "training": {"batch_size": 32}}
    assert read_recipe(given, catalog).recipe.training.batch_size == 32


def test_set_assigns_deep_values() -> None:
    raw: dict[str, Any] = dict(GOOD)
    assign(raw, "training.epochs=3")
    assign(raw, "data.limit=100")
    assign(raw, "backbone.weights=scratch")
    recipe = Recipe.parse(raw)
    assert recipe.training.epochs == 3
    assert (recipe.data.train, recipe.data.limit) == ("rows.csv", 100)
    assert (recipe.backbone.name, recipe.backbone.weights) == ("tcn-tiny", "scratch")
    with pytest.raises(RecipeError, match="must look like"):
        assign(raw, "training.epochs")


def test_files_that_are_no_recipes(tmp_path: Path) -> None:
    for text in ("a: [1", "- 1\n- 2", "", "\x00"):
        path = tmp_path / "recipe.yaml"
        path.write_text(text)
        with pytest.raises(RecipeError, match=r"recipe\.yaml"):
            read_mapping(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        read_mapping(tmp_path / "missing.yaml")


def test_the_schema_describes_every_field() -> None:
    published = schema()
    json.dumps(published)
    training = published["$defs"]["Training"]["properties"]
    assert all("description" in training[name] for name in ("epochs", "batch_size", "precision"))


WORDS = st.sampled_from(["", "name", "full", "a.b", "../x", "~", "train", "é", "tcn-tiny", "nan"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*Recipe.model_fields, "x"]), JSON, max_size=6))
def test_no_recipe_brings_a_traceback(raw: dict[str, Any]) -> None:
    try:
        read_recipe(raw, CATALOG)
    except MultigraftError as error:
        assert str(error)


def test_a_bare_on_or_off_is_a_word_where_one_is_needed(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(
        "task: a\nbackbone: b\ndata: c\ntraining: {replay: off, compile: on, channels_last: no}\n"
    )
    training = Recipe.parse(read_mapping(file)).training
    assert (training.replay, training.compile, training.channels_last) == ("off", "on", False)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seed", True, "it should not be true or false"),
        ("output", False, "it should not be true or false"),
        (
            "training",
            {"epochs": True},
            "training.epochs: found true; it should not be true or false",
        ),
        ("training", {"epochs": float("inf")}, "it should be a finite number"),
        ("training", {"learning_rate": float("nan")}, "training.learning_rate: found NaN"),
    ],
)
def test_no_switch_is_a_number_and_no_number_is_without_end(
    field: str, value: object, message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.parse({"task": "a", "backbone": "b", "data": "c", field: value})


def test_what_is_no_mapping_is_refused_with_a_word() -> None:
    with pytest.raises(RecipeError, match="found null"):
        Recipe.parse(None)


def _whole_numbers(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """The fields of a recipe that take a whole number, as ``training.epochs``."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _whole_numbers(kind, f"{path}{name}.")
        elif kind is int or int in get_args(kind) or "int" in str(kind):
            yield f"{path}{name}"


def test_no_whole_number_of_a_recipe_is_without_a_limit() -> None:
    names = list(_whole_numbers(Recipe))
    assert {"evaluation.bootstrap", "training.workers", "training.batch_size", "seed"} <= set(names)
    for name in names:
        raw: dict[str, Any] = {"task": "t", "backbone": "b", "data": "d.csv"}
        assign(raw, f"{name}={10**30}")
        assert any(line.startswith(name) for line in check(raw)[1]), name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("evaluation.bootstrap", 10**12),
        ("evaluation.worst", 10**9),
        ("evaluation.neighbours", 10**9),
        ("training.workers", 10**5),
        ("training.epochs", 1e12),
        ("training.steps", 10**12),
        ("training.packing", 10**9),
        ("training.batch_size", 10**12),
        ("export.calibration", 10**12),
    ],
)
def test_a_number_that_sizes_work_is_bounded(name: str, value: float) -> None:
    raw: dict[str, Any] = {"task": "t", "backbone": "b", "data": "d.csv"}
    assign(raw, f"{name}={value}")
    problem, *_ = check(raw)[1]  # a second line where a word would do too
    assert problem.startswith(name)
    assert ": found" in problem
    assert "less than or equal to" in problem
