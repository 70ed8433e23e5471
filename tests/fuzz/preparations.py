"""Preparations: recipes of any values, and corpora of any bytes; what is accepted is written."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from pyarrow import parquet

from fuzz.breaking import JUNK, TEXTS, broken_bytes, broken_values
from fuzz.harness import Border, WrongAnswer
from multigraft.data.prepare.corpus import prepare_corpus
from multigraft.data.prepare.fields import Preparation
from multigraft.data.prepare.plan import read_plan
from multigraft.plugins.catalog import Catalog

STEPS = [
    "spaces",
    "markup",
    "boilerplate",
    "c4-line-words",
    "gopher-repeated-ngrams",
    "personal-data",
    {"name": "exact-duplicates", "fold": True},
    {"name": "near-duplicates", "near": 0.7},
    {"name": "length", "low": 3, "column": "text"},
]
SOUND = {
    "source": "rows.jsonl",
    "columns": {"text": "text"},
    "steps": STEPS,
    "split": {"test": 0.2, "group": None},
    "keep": None,
    "workers": 1,
    "examples": 2,
    "limit": 100,
    "seed": 3,
}
ROWS = [{"text": f"a fine film, number {number % 5}", "n": number} for number in range(12)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
ROW = st.dictionaries(st.sampled_from(["text", "n", ""]), st.one_of(TEXTS, JUNK), max_size=3)
INPUTS = st.one_of(
    st.tuples(st.just("recipe"), broken_values(SOUND)),
    st.tuples(st.just("recipe"), st.builds(lambda steps: {**SOUND, "steps": steps}, JUNK)),
    st.tuples(st.just("jsonl"), broken_bytes(st.just(LINES))),
    st.tuples(
        st.just("jsonl"),
        st.lists(ROW, max_size=5).map(
            lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()
        ),
    ),
    st.tuples(
        st.just("csv"),
        broken_bytes(st.just(b"text,n\na very fine old film,1\nanother one of some words,2\n")),
    ),
    st.tuples(st.just("txt"), st.binary(max_size=300)),
)


@functools.cache
def catalog() -> Catalog:
    """The installed plugins."""
    return Catalog()


def feed(folder: Path, given: tuple[str, Any]) -> None:
    """What is accepted is written, and holds as many rows as are told."""
    kind, content = given
    (folder / "rows.jsonl").write_bytes(LINES)
    if kind == "recipe":
        recipe: Any = content
    else:
        (folder / f"given.{kind}").write_bytes(content)
        recipe = {**SOUND, "source": f"given.{kind}"}
    plan = read_plan(recipe, catalog())
    Preparation.model_validate(plan.recipe.model_dump(mode="json"))
    if kind == "recipe" and plan.recipe.source != "rows.jsonl":
        return  # any other file of this machine
    output = folder / "out"
    shutil.rmtree(output, ignore_errors=True)
    few = plan.recipe.model_copy(update={"workers": 1})
    found = prepare_corpus(read_plan(few, catalog()), output, base=folder).manifest
    rows = sum(parquet.read_metadata(path).num_rows for path in output.glob("*/*.parquet"))
    dropped = sum(sum(step["dropped"].values()) for step in found["steps"])
    unread = sum(found["unread"].values())
    if rows != sum(found["rows"].values()) or rows + dropped + unread != found["rows_read"]:
        raise WrongAnswer(f"{rows} rows, {found}")


def sound() -> list[tuple[str, Any]]:
    """The recipe, and files of each kind."""
    return [
        ("recipe", SOUND),
        ("jsonl", LINES),
        ("csv", b"text,n\na very fine old film,1\n"),
        ("txt", b"a longer line of text\n"),
    ]


BORDER = Border("prepare", INPUTS, feed, sound, prepare=lambda folder: catalog())
