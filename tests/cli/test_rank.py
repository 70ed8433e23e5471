"""Ranking on the command line: values of tables, files and stdin, the nearest first."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import multigraft as mg
import multigraft.runtime as runtime
from multigraft.errors import BundleError

VALUES = "good\n\nfine\nbad\n"


class Predictor:
    """Ranks by how many letters a value has of the query."""

    bundle = SimpleNamespace(
        modality="text",
        task="sentence-similarity",
        generation=None,
        columns=("text",),
        facts={"columns": {"text": "said"}},
    )
    modality = mg.Catalog().modality("text")

    def rank(self, query: str, values: list[str], *, top_k: int | None) -> list[dict[str, Any]]:
        if query == "nothing":
            raise BundleError("a bundle of task 'x' gives no embedding")
        shared = [len(set(query) & set(value)) / 4 for value in values]
        order = sorted(range(len(values)), key=lambda place: -shared[place])[:top_k]
        return [{"index": place, "score": shared[place]} for place in order]


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "load", lambda folder, **asked: Predictor())


@pytest.fixture
def lines(tmp_path: Path) -> str:
    (tmp_path / "lines.txt").write_text(VALUES)
    return str(tmp_path / "lines.txt")


def test_lines_are_ranked_and_empty_ones_told(cli: Any, lines: str) -> None:
    said = cli("rank", "bundle", "fine", "--data", lines, "--json")
    assert said.code == 0 and "1 of 4 values are empty" in said.err
    found = json.loads(said.out)
    assert [each["input"] for each in found] == ["fine", "good", "bad"]
    assert [each["index"] for each in found] == [1, 0, 2] and found[0]["score"] == 1.0
    top = cli("rank", "bundle", "fine", "--data", lines, "--json", "--top-k", "1")
    assert json.loads(top.out) == found[:1]


def test_the_table_has_a_line_for_each(cli: Any, lines: str) -> None:
    said = cli("rank", "bundle", "fine", "--data", lines)
    out = [line.strip() for line in said.out.splitlines() if line.strip()]
    assert out[0].split() == ["input", "index", "score"]
    assert [line.split() for line in out if line.startswith("fine")] == [["fine", "1", "1.0000"]]


def test_stdin_and_a_table_of_other_names(
    cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("one\ntwo\n"))
    table = tmp_path / "rows.csv"
    table.write_text("said,id\nfour,1\n")
    said = cli("rank", "bundle", "two", "--data", "-", "--data", str(table), "--json")
    assert {each["input"] for each in json.loads(said.out)} == {"one", "two", "four"}
    table.write_text("words,id\nfour,1\n")
    assert "--columns text=" in cli("rank", "bundle", "two", "--data", str(table)).err
    named = cli("rank", "bundle", "x", "--data", str(table), "--columns", "text=words", "--json")
    assert [each["input"] for each in json.loads(named.out)] == ["four"]


def test_what_cannot_be_ranked_is_told_with_its_place(cli: Any, tmp_path: Path, lines: str) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("text,id\nfour,1\n,2\n")
    said = cli("rank", "bundle", "two", "--data", str(table))
    assert said.code == 1 and "rows.csv row 2: column 'text' is empty" in said.err
    assert "gives no embedding" in cli("rank", "bundle", "nothing", "--data", lines).err
    assert cli("rank", "bundle", "two").code == 2, "what is ranked must be said"
