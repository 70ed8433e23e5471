"""Recipes: a mapping, the text of a file, and ``--set``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from fuzz.breaking import JUNK, TEXTS, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe, assign, read_mapping
from multigraft.recipe.resolve import read_recipe

SOUND = Recipe.parse(
    {
        "task": {"name": "text-classification"},
        "backbone": {"name": "bert-tiny", "weights": "scratch", "dropout": 0.2},
        "data": {"train": "reviews.csv", "columns": {"text": "review"}},
        "strategy": ["layer-wise-decay", {"name": "gradual-unfreezing", "until": 0.5}],
        "reader": {"max_length": 32, "lowercase": False},
        "training": {"augment": "none", "learning_rate": 1e-3, "steps": 3},
    }
).model_dump(mode="json")
TEXT = yaml.safe_dump(SOUND, sort_keys=False)
LAUGHS = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)
BOMBS = (
    LAUGHS,
    LAUGHS + f"data: *a11\n{TEXT}",
    "{a: " * 3000,
    "[" * 100_000,
    "- " * 20_000 + "x",
    "task: !!python/object/apply:os.system ['id']\n",
    "task: !!python/name:os.system\n",
    "a: &a {b: *a}\n",
    "<<: [{a: 1}, {b: 2}]\ntask: x\n",
    "seed: 1_000_000_000_000_000_000_000_000\n" + TEXT,
    "seed: " + "9" * 10_000 + "\n",
    "data: 2001-99-99\n",
    "data: 2001-12-14t21:59:43.10-05:00\n",
    "? [a, b]\n: c\n",
    "? {a: b}\n: c\n",
    "=: 1\n",
    "task: !!binary a\n",
    "task: !!int x\n",
    "task: !!float x\n",
    "task: !!set {a, b}\n",
    "task: !!omap [a: 1]\n",
    "task: !!timestamp x\n",
    "--- a\n--- b\n",
    "task: x\ntask: y\n",
    "%YAML 9.9\n---\na: b\n",
    "\ufeff" + TEXT,
    "# only a comment",
    "x" * 130_000,
    "key: " + "v" * 3_000_000,
)
FIELDS = st.sampled_from(
    (
        "task backbone data strategy training training.epochs data.train data.split.test "
        "strategy.name backbone.weights reader.max_length seed . a..b training.augment.name"
    ).split()
)
VALUES = st.one_of(TEXTS, JUNK.map(repr), st.sampled_from(BOMBS))
INPUTS = st.one_of(
    st.tuples(st.just("raw"), broken_values(SOUND)),
    st.tuples(st.just("raw"), broken_values(SOUND)),
    st.tuples(st.just("yaml"), broken_bytes(st.just(TEXT.encode()))),
    st.tuples(st.just("yaml"), st.sampled_from(BOMBS).map(str.encode)),
    st.tuples(st.just("set"), st.tuples(FIELDS, VALUES).map("=".join)),
    st.tuples(st.just("set"), TEXTS),
)


@functools.cache
def catalog() -> Catalog:
    """The installed plugins."""
    return Catalog()


def feed(folder: Path, given: tuple[str, Any]) -> None:
    """A recipe that is accepted must be the same once it was written and read again."""
    way, raw = given
    if way == "yaml":
        (folder / "recipe.yaml").write_bytes(raw)
        raw = read_mapping(folder / "recipe.yaml")
    elif way == "set":
        assignment, raw = raw, {key: _copy(value) for key, value in SOUND.items()}
        assign(raw, assignment)
    recipe = read_recipe(raw, catalog()).recipe
    if Recipe.parse(yaml.safe_load(recipe.to_yaml())) != recipe:
        raise WrongAnswer(f"another recipe once it is written: {recipe}")
    recipe.anchored()


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def sound() -> list[tuple[str, Any]]:
    """The recipe as a mapping and as a file, and a field set."""
    return [("raw", SOUND), ("yaml", TEXT.encode()), ("set", "training.epochs=2")]


BORDER = Border("recipe", INPUTS, feed, sound, prepare=lambda folder: catalog())
