"""Rows of several branches: what is read, what stands for an absent value, what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import multigraft as mg
from helpers import captioned
from multigraft.contracts.branches import (
    PRESENT,
    BranchesReader,
    augment_of,
    compose,
    join_branches,
    of_branch,
)
from multigraft.contracts.padding import Fill
from multigraft.contracts.readers import collate
from multigraft.errors import BundleError, DataError, PluginError, RowError

MODALITIES = {each.name: each for each in captioned.register_modalities()}
BRANCHES = {"words": MODALITIES["words"], "grey": MODALITIES["grey"]}
SPEC = {"words.kind": "words", "grey.kind": "grey", "grey.places": False}
WHOLE = {"words": "Ada left", "grey": "009/090"}


def reader(*, missing: bool = False) -> BranchesReader:
    modality = compose(BRANCHES, missing=missing)
    assert modality.fit is not None
    spec = modality.fit([{"words": "May"}, WHOLE], dict(SPEC))
    made: Any = modality.reader(json.loads(json.dumps(spec)))  # as a bundle keeps it
    return made


def test_each_branch_is_read_under_its_own_name() -> None:
    row = reader().read(WHOLE)
    alone = {name: each.reader(of_branch(name, SPEC)) for name, each in BRANCHES.items()}
    expected = join_branches({name: alone[name].read(WHOLE[name]) for name in BRANCHES})
    assert row.keys() == expected.keys()
    assert all(np.array_equal(row[name], expected[name]) for name in row)
    assert reader().length(row) == 2 + 6
    assert reader().fills["grey.pixels"] == Fill(0, {0: "grey_height", 1: "grey_width"})
    assert reader().fills["words.ids"] == Fill(0, {0: "words_length"})


def test_a_spec_makes_the_reader_again() -> None:
    made = reader(missing=True)
    again: Any = compose(BRANCHES, missing=True).reader(made.spec())
    for raw in (WHOLE, {"words": "May"}, {"grey": "9"}):
        one, other = made.read(raw), again.read(raw)
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_an_absent_value_is_a_blank_of_its_type() -> None:
    rows = [reader(missing=True).read(raw) for raw in (WHOLE, {"grey": "12"}, {"words": "May"})]
    assert [row[PRESENT].tolist() for row in rows] == [[1, 1], [0, 1], [1, 0]]
    assert rows[1]["words.ids"].dtype == rows[0]["words.ids"].dtype
    assert rows[1]["words.ids"].tolist() == [0] and rows[2]["grey.pixels"].tolist() == [[0]]
    batch = collate(rows, reader(missing=True).fills)
    assert batch["grey.pixels"].shape == (3, 2, 3)


@pytest.mark.parametrize(
    ("raw", "said", "column"),
    [
        ({"words": "May"}, "there is no 'grey', which every row needs", "grey"),
        ("May", "found str; a mapping with 'words', 'grey' is needed", None),
        ({**WHOLE, "sound": "a"}, "found 'sound' in it", None),
        ({**WHOLE, "grey": "1x"}, "grey: holds what is no digit", "grey"),
    ],
)
def test_what_is_no_whole_value_is_a_bad_row(raw: Any, said: str, column: str | None) -> None:
    with pytest.raises(RowError) as caught:
        reader().read(raw)
    assert said in str(caught.value) and caught.value.column == column


def test_a_row_without_any_value_is_bad_though_some_may_miss() -> None:
    with pytest.raises(RowError, match="has no value of any branch"):
        reader(missing=True).read({})


def test_a_branch_that_no_row_has_is_told() -> None:
    modality = compose(BRANCHES, missing=True)
    assert modality.fit is not None
    with pytest.raises(DataError, match=r"'grey' can be read: no training row has one"):
        modality.fit([{"words": "May"}], dict(SPEC))


def test_a_branch_called_otherwise_reads_one_column() -> None:
    pairs = replace(MODALITIES["words"], columns=("words", "words_b"))
    both = compose({"words": pairs, "question": pairs}, missing=False)
    assert both.columns == ("words", "words_b", "question")
    assert both.required == ("words", "question")


def test_a_reader_of_other_branches_is_refused() -> None:
    with pytest.raises(BundleError, match="are of the branches"):
        compose(BRANCHES, missing=False).reader({**SPEC, "branches": {"words": "words"}})


@pytest.mark.parametrize(
    "blanks",
    [
        {"words.ids": ["int64", [2**40]]},
        {"words.ids": ["int64", [-1]]},
        {"words.ids": ["object", [1]]},
        {"words.ids": ["no such type", [1]]},
        {"words.ids": [1]},
        {"words.ids": ["int64", 3]},
        [3],
    ],
)
def test_blanks_that_a_stranger_wrote_are_refused(blanks: Any) -> None:
    spec = {**SPEC, "branches": {"words": "words", "grey": "grey"}, "blanks": blanks}
    with pytest.raises(BundleError):
        compose(BRANCHES, missing=True).reader(spec)


def test_only_what_a_row_has_is_augmented() -> None:
    modality, made = compose(BRANCHES, missing=True), reader(missing=True)
    assert modality.augment is not None
    augment = modality.augment("light", made, {})
    assert augment_of(augment, "words") is None and augment_of(augment, "grey") is not None
    absent = made.read({"words": "May"})
    found = augment(absent, np.random.default_rng(0))
    assert all(np.array_equal(found[name], absent[name]) for name in absent)
    whole = made.read(WHOLE)
    shapes = {augment(whole, np.random.default_rng(n))["grey.pixels"].shape for n in range(9)}
    assert len(shapes) > 1


def test_a_plugin_registers_no_composed_modality() -> None:
    class Composing:
        @mg.hookimpl
        def register_modalities(self) -> list[mg.Modality]:
            return [replace(MODALITIES["words"], name="both", branches=BRANCHES)]

    with pytest.raises(PluginError, match="register each modality by itself"):
        mg.Catalog([Composing()], discover=False)


def by_branch(values: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    return {branch: of_branch(branch, values) for branch in ("a", "ab")}


def test_names_of_branches_that_begin_alike_are_told_apart() -> None:
    values = {"a": {"x": 1, "b.x": 2}, "ab": {"x": 3}}
    assert by_branch(join_branches(values)) == values
