"""Rows of a table: what is learned of training rows, and what a row becomes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from multigraft import Origin
from multigraft.errors import BundleError, DataError, RecipeError, RowError
from multigraft_table.reader import TableReader, table_reader
from multigraft_table.specs import fit, table_spec

ROWS: list[dict[str, Any]] = [
    {"age": 20 + number, "city": "ab"[number % 2], "joined": f"2024-0{1 + number % 9}-01"}
    for number in range(20)
]
SCRATCH = Origin(backbone="mlp-plr-tiny", size="tiny")


def reader(rows: list[dict[str, Any]] = ROWS, **options: Any) -> TableReader:
    return table_reader(fit(rows, table_spec(SCRATCH, options)))


def test_a_row_is_numbers_flags_and_categories() -> None:
    row = reader(numbers="standard").read({"age": 29.5, "city": "b", "joined": "2024-03-01"})
    assert {name: (each.dtype.name, each.shape) for name, each in row.items()} == {
        "values": ("float32", (2,)),
        "missing": ("float32", (2,)),
        "categories": ("int64", (3,)),
    }
    assert row["values"][0] == 0, "the mean"
    assert row["categories"].tolist() == [3, 2 + 2, 2 + 4], "b; a Friday in March"


def test_what_is_missing_is_flagged_and_0() -> None:
    for raw in ({"city": "a"}, {"age": None, "city": "a", "joined": "NA"}):
        row = reader().read(raw)
        assert row["values"].tolist() == [0, 0]
        assert row["missing"].tolist() == [1, 1]
        assert row["categories"].tolist() == [2, 0, 0]


def test_a_row_may_be_json_and_the_order_of_cells_does_not_matter() -> None:
    raw = {"joined": "2024-03-01", "age": 20}
    one, other = reader().read(json.dumps(raw)), reader().read(dict(reversed(raw.items())))
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_a_table_of_one_kind_has_no_other_arrays() -> None:
    assert reader([{"city": "ab"[n % 2]} for n in range(9)]).read({"city": "a"}).keys() == {
        "categories"
    }
    assert reader([{"age": n} for n in range(9)]).read({"age": 1}).keys() == {"values", "missing"}


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"agee": 3, "city": "a"}, "no column 'agee' in what was learned; did you mean 'age'?"),
        ({"age": "old"}, "'age' holds 'old'; a number is needed"),
        ({"age": b"GIF89a"}, "'age' holds bytes, as of a file; a number is needed"),
        ({"age": float("inf")}, "'age' holds inf"),
        ({"city": ["a"]}, "'city' holds a list; a category is needed"),
        ({"joined": "soon"}, "a date is needed, as 2024-02-29"),
        ({"age": None, "city": "", "joined": float("nan")}, "every cell is missing"),
        ({}, "every cell is missing"),
        (3, "found int; a mapping from column to cell is needed"),
        ("[1]", "found list; a mapping"),
        ("wool", "is no row of a table"),
    ],
)
def test_a_row_that_cannot_be_used(raw: Any, says: str) -> None:
    with pytest.raises(RowError) as caught:
        reader().read(raw)
    assert says in str(caught.value)


def test_an_unseen_category_is_read_and_told() -> None:
    found = reader([*ROWS, {"city": "rare", "age": 3}])
    assert found.read({"city": "Rome"})["categories"][0] == 1
    assert found.oddities({"city": "Rome"}) == ["'city' holds a category that no training row has"]
    assert found.read({"city": "rare"})["categories"][0] == 1, "one row teaches nothing"
    assert found.oddities({"city": "rare", "age": 999}) == []


def test_the_guess_is_told_and_can_be_overruled() -> None:
    rows = [{**row, "code": number % 3, "id_": f"u{number}"} for number, row in enumerate(ROWS * 4)]
    told = " ".join(reader(rows).told())
    assert "numbers: age, code; categories: city; dates: joined (reader.types" in told
    assert "left out: id_ (80 different texts in 80 rows)" in told
    said = reader(rows, types={"code": "category", "joined": "ignore"})
    assert "numbers: age; categories: city, code" in said.told()[0]
    assert "joined (as reader.types says)" in said.told()[1]
    said.read({"age": 3, "joined": "soon", "id_": "whatever"})


def test_a_spec_makes_the_same_reader_again() -> None:
    first = reader()
    spec = json.loads(json.dumps(first.spec()))
    again = table_reader(spec)
    assert fit(ROWS, spec) == spec == again.spec()
    for raw in ROWS:
        one, other = first.read(raw), again.read(raw)
        assert all(np.array_equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"types": {"age": "numbr"}}, "reader.types.age: found 'numbr'; did you mean 'number'?"),
        ({"types": {"agee": "number"}}, "reader.types.agee: the table has no such column; did you"),
        ({"types": {"city": "number"}}, "reader.types.city: found 'number', and 20 of 20 cells"),
    ],
)
def test_a_type_that_cannot_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises((DataError, RecipeError)) as caught:
        reader(**options)
    assert says in str(caught.value)


def test_a_table_without_a_column_that_can_be_read() -> None:
    with pytest.raises(DataError, match=r"no column .* x: the same in every row"):
        reader([{"x": 1}] * 4)


def test_other_columns_than_the_weights_know_are_refused() -> None:
    spec = reader().spec()
    with pytest.raises(DataError, match=r"know no 'height'.*data.columns: \{table: \[age, city"):
        fit([{"age": 3, "height": 4}], spec)


@pytest.mark.parametrize(
    "changed",
    [
        {"columns": []},
        {"columns": [{"name": "a", "type": "number"}]},
        {"columns": [{"name": "a", "type": "picture"}]},
        {"left_out": {"age": ""}},
        {"columns": [{"name": "a", "type": "number", "scale": {"mean": 0, "deviation": 0}}]},
        {
            "columns": [
                {
                    "name": "a",
                    "type": "number",
                    "scale": {"mean": 0, "deviation": 1, "knots": [1, 0], "scores": [0, 0]},
                }
            ]
        },
    ],
)
def test_a_spec_that_anybody_wrote_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(BundleError):
        table_reader({**reader().spec(), **changed})
