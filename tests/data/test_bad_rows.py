from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from multigraft.contracts.objectives import Objective
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.data import Rows, load_table, quarantine, told
from multigraft.data.reporting import bad_row_notes, data_tables
from multigraft.errors import DataError, RecipeError
from multigraft.recipe import Recipe

MIXED = b"text,label\ngood,0\nb4d,1\nfine,1\n,0\ncaf\xe9,0\nlast,\nwell,0\n"


@pytest.fixture
def rows(tmp_path: Path, text: Modality, reader: Reader, objective: Objective) -> Rows:
    path = tmp_path / "reviews.csv"
    path.write_bytes(MIXED)
    table = load_table(str(path), modality=text, columns={})
    return Rows.audit(table, reader, objective, allowed_bad=0.9, name="train")


def test_each_problem_names_file_row_and_column(rows: Rows) -> None:
    found = {problem.record()["row"]: problem.record() for problem in rows.problems}
    assert found == {
        2: {"file": "reviews.csv", "row": 2, "column": "text", "reason": "'b4d' holds a digit"},
        4: {"file": "reviews.csv", "row": 4, "column": "text", "reason": "column 'text' is empty"},
        5: {
            "file": "reviews.csv",
            "row": 5,
            "column": "text",
            "reason": "column 'text' is not UTF-8: byte 0xe9 after 'caf'",
        },
        6: {"file": "reviews.csv", "row": 6, "column": None, "reason": "the label is missing"},
    }


def test_a_quarantine_can_be_mended_and_read_again(
    rows: Rows, tmp_path: Path, text: Modality, reader: Reader, objective: Objective
) -> None:
    path = quarantine(rows.problems, tmp_path / "run", "train")
    assert path == tmp_path / "run" / "quarantine" / "train.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    assert {entry["row"]: entry["cells"] for entry in entries} == {
        2: {"text": "b4d", "label": "1"},
        4: {"text": None, "label": "0"},
        5: {"text": None, "label": "0"},
        6: {"text": "last", "label": None},
    }
    mended = [
        {"label": 1, **entry["cells"], "text": "mended"}
        for entry in entries
        if entry["cells"]["label"]
    ]
    again = tmp_path / "mended.jsonl"
    again.write_text("".join(json.dumps(row) + "\n" for row in mended))
    table = load_table(str(again), modality=text, columns={})
    assert len(Rows.audit(table, reader, objective, allowed_bad=0, name="train")) == 3


def test_bytes_in_quarantine_are_whole(
    tmp_path: Path, image: Modality, reader: Reader, objective: Any
) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(
        pa.table({"image": [b"\x00\xff1", b"\x01"], "label": [1, 0]}), tmp_path / "a.parquet"
    )
    table = load_table(str(tmp_path / "a.parquet"), modality=image, columns={})
    found: list[Any] = []
    with pytest.raises(DataError):
        Rows.audit(table, reader, objective, allowed_bad=0, name="test", hand_over=found.extend)
    path = quarantine(found, tmp_path, "test")
    assert json.loads(path.read_text().splitlines()[0])["cells"] == {
        "image": {"base64": "AP8x"},
        "label": 1,
    }


def test_what_is_left_out_is_handed_over_before_the_run_stops(
    tmp_path: Path, text: Modality, reader: Reader, objective: Objective
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "7,1\n" * 30)
    table = load_table(str(path), modality=text, columns={})
    found: list[Any] = []
    with pytest.raises(DataError, match=r"data\.on_bad_row: skip \(or quarantine"):
        Rows.audit(table, reader, objective, allowed_bad=0.1, name="train", hand_over=found.extend)
    assert len(found) == 30


def test_a_record_tells_counts_and_examples(rows: Rows) -> None:
    facts = {"bad_rows": json.loads(json.dumps(told({"train": rows.problems, "test": ()})))}
    assert facts["bad_rows"].keys() == {"train"}
    assert facts["bad_rows"]["train"]["rows"] == 4
    assert bad_row_notes(facts, "test") == []
    assert bad_row_notes(facts) == [
        "train: 4 rows left out that cannot be used, the first reviews.csv row 5: column 'text' is "
        "not UTF-8: byte 0xe9 after 'caf'"
    ]
    heading, *lines = data_tables(facts)["Rows left out"]
    assert heading == ("split", "file", "row", "column", "reason")
    assert ("train", "reviews.csv", "2", "text", "'b4d' holds a digit") in lines
    assert ("train", "reviews.csv", "6", "", "the label is missing") in lines
    assert data_tables({}) == {}


class TestRecipe:
    @staticmethod
    def data(**fields: Any) -> Any:
        raw = {"task": "t", "backbone": "b", "data": {"train": "a.csv", **fields}}
        recipe = Recipe.parse(raw)
        assert Recipe.parse(recipe.model_dump(mode="json")) == recipe
        return recipe.data

    @pytest.mark.parametrize(
        ("fields", "share"),
        [
            ({}, 0.0),
            ({"allowed_bad": 0.0}, 0.0),
            ({"on_bad_row": "skip"}, 0.05),
            ({"on_bad_row": "quarantine"}, 0.05),
            ({"on_bad_row": "skip", "allowed_bad": 0.0}, 0.0),
            ({"on_bad_row": "quarantine", "allowed_bad": 0.4}, 0.4),
        ],
    )
    def test_how_many_rows_may_be_bad(self, fields: dict[str, Any], share: float) -> None:
        assert self.data(**fields).bad_share == share

    def test_a_share_that_stop_would_ignore_is_refused(self) -> None:
        with pytest.raises(
            RecipeError, match=r"data\.allowed_bad: found 0\.1; data\.on_bad_row is 'stop'"
        ):
            self.data(allowed_bad=0.1)
        with pytest.raises(RecipeError, match=r"on_bad_row: found \"drop\"; it should be 'stop'"):
            self.data(on_bad_row="drop", allowed_bad=0.1)
