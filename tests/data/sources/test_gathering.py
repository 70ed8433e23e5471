"""Many columns of a table as one raw value."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from multigraft.contracts.branches import compose
from multigraft.contracts.records import Modality
from multigraft.data import Table, load_table
from multigraft.errors import DataError, RowError

GATHERED = Modality(name="table", reader=lambda spec: None, columns=("table",), gathers=True)  # type: ignore[arg-type, return-value]
TEXT = Modality(name="text", reader=lambda spec: None, columns=("text",))  # type: ignore[arg-type, return-value]
BOTH = compose({"text": TEXT, "table": GATHERED}, missing=True)


def load(path: Path, modality: Modality = GATHERED, **settings: Any) -> Table:
    return load_table(str(path), modality=modality, apart=("label",), **{"columns": {}, **settings})


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text("id,text,age,city,label\n1,wool,3,a,x\n2,,4,,y\n3,silk,,,x\n4,,,,y\n")
    return path


def test_a_value_has_every_column_that_nothing_else_reads(shop: Path) -> None:
    found = load(shop, BOTH)
    assert found.raw(0) == {"text": "wool", "table": {"age": "3", "city": "a"}}
    assert found.raw(1) == {"table": {"age": "4", "city": None}}
    assert found.raw(2) == {"text": "silk"}, "a row of no cells lacks the table"
    assert found.column("label") == ["x", "y", "x", "y"]
    with pytest.raises(RowError, match="columns 'text', 'age', 'city' are empty"):
        found.raw(3)
    assert load(shop).raw(0) == {"text": "wool", "age": "3", "city": "a"}


def test_a_list_names_a_values_columns(shop: Path) -> None:
    found = load(shop, lists={"table": ["city", "age"]})
    assert found.raw(0) == {"city": "a", "age": "3"}
    assert found.content.gathered == {"table": ("city", "age")}
    renamed = load(shop, lists={"table": ["years"]}, columns={"years": "age"})
    assert renamed.raw(0) == {"years": "3"}
    with pytest.raises(DataError, match="table: there is no column 'cty'; did you mean 'city'"):
        load(shop, lists={"table": ["cty"]})


def test_one_column_is_a_list_of_one(shop: Path) -> None:
    with pytest.raises(
        DataError, match=r"'age' holds no mapping .* data.columns: \{table: \[age\]"
    ):
        load(shop, columns={"table": "age"})


def test_rows_are_equal_where_their_cells_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b,label\n1,2,x\n1,2,y\n2,1,x\n")
    found = load(path)
    assert found.digest(0) == found.digest(1) != found.digest(2)
    other = load(path, lists={"table": ["a"]})
    assert found.fingerprint != other.fingerprint


def test_mappings_are_taken_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [{"table": None, "label": "x"}, {"table": {"a": 1}, "b": 2, "label": "y"}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert load(path).raw(1) == {"a": 1}
    with pytest.raises(RowError, match="column 'table' is empty"):
        load(path).raw(0)


def test_a_column_of_that_name_is_one_among_others(tmp_path: Path) -> None:
    path = tmp_path / "diamonds.csv"
    path.write_text("carat,table,label\n0.3,55,x\n")
    assert load(path).raw(0) == {"carat": "0.3", "table": "55"}


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    parquet.write_table(pa.table({"a": [1.5, float("nan")], "b": [True, None]}), path)
    found = load_table(str(path), modality=GATHERED, columns={})
    assert found.raw(0) == {"a": 1.5, "b": True}
    with pytest.raises(RowError, match="columns 'a', 'b' are empty"):
        found.raw(1)
    assert list(found.raws()) == [found.raw(0)]
    assert len(set(found.digests[np.array([0, 0])].tolist())) == 1


def test_what_is_left_must_be_clear(tmp_path: Path, shop: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("id,label\n1,x\n")
    with pytest.raises(DataError, match="no column is left for 'table'; it holds: id, label"):
        load(path)
    two = compose({"a": GATHERED, "b": replace(GATHERED, name="other")}, missing=False)
    with pytest.raises(DataError, match="'a' and 'b' could each have every column; say which"):
        load(shop, two)
    found = load(shop, two, lists={"b": ["city"]})
    assert found.raw(0) == {"a": {"text": "wool", "age": "3"}, "b": {"city": "a"}}
