"""How texts are pooled is said in one place, and refused where nothing is pooled."""

from __future__ import annotations

from typing import Any

import pytest

import multigraft_text
from multigraft.errors import RecipeError
from multigraft.plugins.catalog import Catalog
from multigraft.recipe.resolve import read_recipe

CATALOG = Catalog([multigraft_text], discover=False)


def read(task: Any, **backbone: Any) -> Any:
    raw = {"task": task, "backbone": {"name": "bert-tiny", **backbone}, "data": "rows.csv"}
    return read_recipe(raw, CATALOG)


@pytest.mark.parametrize("task", ["token-classification", "question-answering"])
def test_a_pooling_is_refused_where_each_token_is_read(task: str) -> None:
    with pytest.raises(RecipeError, match=f"backbone.pooling: found 'mean'; task '{task}': it re"):
        read(task, pooling="mean")
    assert read(task).task.name == task


def test_similarity_has_one_place_for_its_pooling() -> None:
    moved = {"name": "sentence-similarity", "pooling": "max", "temperature": 0.1}
    with pytest.raises(RecipeError) as caught:
        read(moved)
    (problem,) = caught.value.problems
    assert problem.startswith("task.pooling: found 'max'; ") and "backbone: {pooling" in problem
    with pytest.raises(RecipeError, match=r"found 'own'.*allowed: mean, cls, max, lasttoken"):
        read("sentence-similarity", pooling="own")
    found = read("sentence-similarity", pooling="max")
    assert found.branches[""].origin.config["pooling"] == "max"
    assert read("text-classification", pooling="own").branches[""].origin.config["pooling"] == "own"
