"""What a training row is learned from: itself, or several rows that keep its place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from data.conftest import LabelObjective
from multigraft.contracts.objectives import Row
from multigraft.contracts.reader import Reader
from multigraft.contracts.records import Modality
from multigraft.data import Rows, load_table
from multigraft.data.bad_rows import quarantine
from multigraft.errors import DataError, PluginError, RowError


class Halves(LabelObjective):
    """A text of several words is learned from word by word."""

    def parts(self, row: Row) -> Sequence[Row]:
        words = row["text"].split(" ")
        if "!" in words:
            raise RowError("cannot be cut")
        if row["text"] == "none":
            return ()
        return [{**row, "text": word} for word in words] if words[1:] else (row,)


CONTENT = "text,label\none,0\ntwo three,1\nfour f1ve six,0\nseven,1\n"


@pytest.fixture
def audit(tmp_path: Path, text: Modality, reader: Reader) -> Any:
    def start(content: str, *, learned: bool = True, **changed: Any) -> Rows:
        path = tmp_path / "reviews.csv"
        path.write_text(content)
        table = load_table(str(path), modality=text, columns={})
        asked = {"reader": reader, "objective": Halves(), "allowed_bad": 0.5, "name": "train"}
        return Rows.audit(table, learned=learned, **{**asked, **changed})

    return start


def test_parts_are_rows_that_keep_the_place_of_theirs(audit: Any) -> None:
    rows = audit(CONTENT)
    found = [(rows.raw(index), int(rows[index]["label"])) for index in range(len(rows))]
    assert found == [("one", 0), ("two", 1), ("three", 1), ("four", 0), ("six", 0), ("seven", 1)]
    places = [rows.place(index).rpartition(" ")[2] for index in range(len(rows))]
    assert places == list("122334")


def test_held_out_rows_stay_whole(audit: Any) -> None:
    rows = audit(CONTENT, learned=False)
    assert [rows.raw(index) for index in range(len(rows))] == ["one", "two three", "seven"]


def test_a_part_that_cannot_be_read_is_told_by_its_row(audit: Any, tmp_path: Path) -> None:
    (problem,) = audit(CONTENT).problems
    assert str(problem) == "reviews.csv row 3, column 'text': 'f1ve' holds a digit"
    (line,) = quarantine([problem], tmp_path, "train").read_text().splitlines()
    assert (json.loads(line)["row"], json.loads(line)["cells"]["text"]) == (3, "f1ve")


def test_a_row_without_parts_is_read_as_it_is(audit: Any) -> None:
    """And refused with its place, if it cannot be."""
    rows = audit("text,label\none two,0\nthree !,1\n")
    assert [rows.raw(index) for index in range(len(rows))] == ["one", "two", "three !"]
    with pytest.raises(DataError, match="row 2, column 'text': '4 !' holds a digit"):
        audit("text,label\none two,0\n4 !,1\n", allowed_bad=0.0)


def test_a_row_must_be_learned_from(audit: Any) -> None:
    with pytest.raises(PluginError, match=r"reviews\.csv row 2.*parts gives no row"):
        audit("text,label\none two,0\nnone,1\n")
