"""``experiment``: the plan before it is computed, and what is shown of it."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from experiments.made_up import first_right, make_cell, make_experiment
from helpers.samples import write_texts
from multigraft.experiments.records import Record, write_record


@pytest.fixture
def grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A grid, in a folder that it is written to."""
    write_texts(tmp_path, 20).rename(tmp_path / "books.csv")
    monkeypatch.chdir(tmp_path)
    return {
        "domains": {"books": {"train": "books.csv", "test": "books.csv"}},
        "recipe": {"task": "text-classification", "backbone": "bert-tiny"},
        "vary": {"data": ["books"], "seed": [0, 1]},
        "test_on": "all",
    }


def write(grid: dict[str, Any]) -> str:
    Path("grid.yaml").write_text(yaml.safe_dump(grid))
    return "grid.yaml"


def test_the_plan_is_shown_and_nothing_is_made(cli: Any, grid: dict[str, Any]) -> None:
    said = cli("experiment", write(grid), "--dry-run")
    assert said.code == 0
    assert [line.rpartition("-")[0] for line in said.out.splitlines()] == [
        "books-seed0",
        "books-seed1",
    ]
    assert "2 cells, 2 to compute, tested on books" in said.err
    found = json.loads(cli("experiment", "run", "grid.yaml", "--dry-run", "--json").out)
    assert found["to_compute"] == found["cells"] == said.out.splitlines()
    assert found["folder"].endswith("experiments/grid") and not Path("experiments").exists()


def test_every_mistake_is_told_with_exit_code_2(cli: Any, grid: dict[str, Any]) -> None:
    said = cli("experiment", write({**grid, "vary": {"training.epoch": [1]}, "test_on": "book"}))
    assert said.code == 2
    assert "grid.yaml: 3 problems" in said.err
    assert "test_on: no domain is called 'book'; did you mean 'books'?" in said.err
    assert "training.epoch: no such field; did you mean 'training.epochs'?" in said.err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An experiment of which one cell failed and another waits."""
    cells = [make_cell(source) for source in ("a", "b")]
    made = tmp_path / "made"
    make_experiment(
        made, cells, ["a", "b"], lambda cell, domain: first_right(90 if cell.data == domain else 60)
    )
    failed, waits = make_cell("c"), make_cell("d")
    write_record(made, Record(cell=failed.key, state="failed", reason="no row has a label"))
    told = {"cells": [asdict(cell) for cell in [*cells, failed, waits]]}
    state = {**told, "domains": ["a", "b"], "metric": None, "threads": 1, "data": {}}
    (made / "experiment.json").write_text(json.dumps(state))
    return made


def test_an_experiment_is_shown_while_it_is_computed(cli: Any, folder: Path) -> None:
    said = cli("experiment", "show", str(folder))
    assert said.code == 0
    for text in ("source by target", "0.750", "no row has a label", "4, 3 of them ended"):
        assert text in said.out


def test_it_is_shown_as_json_csv_and_markdown(cli: Any, folder: Path) -> None:
    found = json.loads(cli("experiment", "show", str(folder), "--json").out)
    assert len(found["cells"]) == 4 and len(found["rows"]) == 2 * 2 * 2 + 1
    assert found["failed"] == {"c-seed0-abcd": ["no row has a label"]}
    rows = list(csv.DictReader(io.StringIO(cli("experiment", "show", str(folder), "--csv").out)))
    assert len(rows) == len(found["rows"])
    assert rows[0]["value"] == "0.75" and rows[-1]["state"] == "failed"
    text = cli("experiment", "show", str(folder), "--markdown").out
    assert "| learned from | a | b |\n|---|---|---|\n| a | 0.750 [" in text


def test_tables_are_exported(cli: Any, folder: Path) -> None:
    said = cli("experiment", "table", str(folder))
    assert said.code == 0, said.err
    assert said.out.startswith("**leaderboard**\n\n|  | cells | accuracy |")
    assert "**accuracy, source by target**" in said.out
    latex = cli("experiment", "table", str(folder), "--format", "latex", "--only", "leader").out
    assert latex.startswith("\\begin{tabular}") and "%" not in latex.splitlines()[0]
    text = cli("experiment", "table", str(folder), "--format", "csv", "--only", "accuracy").out
    table = list(csv.reader(io.StringIO(text)))
    assert table[0] == ["learned from", "a", "b"] and table[1][1].startswith("0.750 [")
    wrong = cli("experiment", "table", str(folder), "--only", "leaderbord")
    assert wrong.code == 1 and "did you mean 'leaderboard'?" in wrong.err


def test_a_search_is_planned_before_it_begins(cli: Any, grid: dict[str, Any]) -> None:
    space = {"training.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}}
    said = cli("experiment", write({**grid, "search": {"space": space}}), "--dry-run")
    assert said.code == 0, said.err
    assert said.out == "search of books\n"
    assert "1 x 50 trials, judged by validation rows; then 2 cells with the best" in said.err
    found = json.loads(cli("experiment", "grid.yaml", "--dry-run", "--json").out)
    assert found["searches"] == ["books"] and found["cells"] == []


def test_an_address_is_that_of_a_cluster(cli: Any, grid: dict[str, Any]) -> None:
    said = cli("experiment", write(grid), "--address", "auto")
    assert said.code == 2 and "give it with engine ray" in said.err


def test_storage_is_a_url(cli: Any, grid: dict[str, Any]) -> None:
    said = cli("experiment", write(grid), "--storage", "elsewhere")
    assert said.code == 2 and "it should be a URL, as s3://bucket/folder" in said.err


def test_a_folder_that_is_none_and_two_forms_are_refused(
    cli: Any, folder: Path, tmp_path: Path
) -> None:
    said = cli("experiment", "show", str(tmp_path))
    assert (said.code, "is no experiment: it has no experiment.json" in said.err) == (1, True)
    assert cli("experiment", "show", str(folder), "--json", "--csv").code == 2
    state = json.loads((folder / "experiment.json").read_text())
    state["cells"][0]["key"] = "../../elsewhere"
    (folder / "experiment.json").write_text(json.dumps(state))
    said = cli("experiment", "show", str(folder))
    assert said.code == 1 and "is no key of a cell" in said.err
    (folder / "experiment.json").write_text("[]")
    said = cli("experiment", "show", str(folder))
    assert said.code == 1 and "does not hold the facts of an experiment" in said.err


def test_help_is_of_both_commands(cli: Any) -> None:
    said = cli("experiment", "--help")
    assert said.code == 0
    assert all(name in said.out for name in ("show", "run", "table"))
    assert "--retry" in cli("experiment", "run", "--help").out
