"""A trained run is measured on other data than its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from helpers import captioned
from helpers.toys import write_rows
from multigraft.engine import Engine
from multigraft.errors import DataError, RunError
from multigraft.evaluation.other_sources import named_sources
from multigraft.runs.run import Run

Finetune = Callable[..., Run]


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def run(finetune: Finetune, tmp_path: Path) -> Run:
    """A run whose test rows are a file of their own."""
    test = write_rows(tmp_path / "held.csv", seed=3)
    return finetune(data={"train": str(tmp_path / "series.csv"), "test": str(test)})


def test_its_own_test_rows_as_other_data_score_the_same(run: Run, tmp_path: Path) -> None:
    own = run.evaluate(rows=tmp_path / "own.jsonl")
    other = run.evaluate(tmp_path / "held.csv", rows=tmp_path / "other.jsonl")
    assert other.metrics == own.metrics
    assert other.confusion == own.confusion
    assert lines_of(tmp_path / "other.jsonl") == lines_of(tmp_path / "own.jsonl")


def test_the_rows_file_gives_the_scores_of_the_report(run: Run, tmp_path: Path) -> None:
    report = run.evaluate(tmp_path / "held.csv", rows=tmp_path / "rows.jsonl")
    assert run.report is report
    rows = lines_of(tmp_path / "rows.jsonl")
    assert [row["row"] for row in rows] == [f"held.csv row {row}" for row in range(1, 97)]
    expected, answered = ([row[side] for row in rows] for side in ("expected", "answer"))
    f1 = f1_score(expected, answered, average="macro")
    assert report.metrics["f1_macro"].value == pytest.approx(f1)
    assert report.metrics["accuracy"].value == np.mean([row["correct"] for row in rows])
    assert report.metrics["loss"].value == pytest.approx(np.mean([row["loss"] for row in rows]))
    chance = [row["scores"][row["expected"]] for row in rows]
    assert [row["loss"] for row in rows] == pytest.approx(-np.log(chance), rel=1e-5)


def test_reports_lie_beside_the_runs_own(run: Run, engine: Engine, tmp_path: Path) -> None:
    run.evaluate()
    own = (run.folder / "reports/evaluate.json").read_bytes()
    again = engine.open(run.folder)
    again.evaluate(write_rows(tmp_path / "far.csv", seed=9))
    again.evaluate(tmp_path / "held.csv", name="near")
    assert (run.folder / "reports/evaluate.json").read_bytes() == own
    kept = sorted(path.name for path in (run.folder / "reports").iterdir())
    evaluations = ["evaluate-far", "evaluate-near", "evaluate"]
    by_row = [f"{name}.npz" for name in evaluations]
    assert kept == sorted([*(f"{name}.json" for name in evaluations), *by_row, "finetune.json"])
    page = (run.folder / "report.html").read_text()
    for heading in ("Evaluate on far", "Evaluate on near", "<title>series-classification with"):
        assert heading in page
    assert "tcn-tiny on near</title>" not in page


def test_labels_that_the_run_does_not_know_are_counted(run: Run, tmp_path: Path) -> None:
    text = (tmp_path / "held.csv").read_text()
    (tmp_path / "odd.csv").write_text(text.replace(",up\n", ",flat\n", 3).replace("down", " down "))
    report = run.evaluate(tmp_path / "odd.csv")
    assert report.facts["rows"] == "93"
    assert any(note.startswith("odd: 3 rows left out: label 'flat'") for note in report.notes)


def test_data_without_a_known_label_is_refused(run: Run, tmp_path: Path) -> None:
    text = (tmp_path / "held.csv").read_text().replace("up", "flat").replace("down", "steep")
    (tmp_path / "odd.csv").write_text(text)
    with pytest.raises(DataError, match=r"odd: 96 of 96 rows .*cannot be used\n") as error:
        run.evaluate(tmp_path / "odd.csv")
    assert "odd.csv row 1, column 'label': " in str(error.value)
    assert "--columns" in str(error.value) and "on_bad_row" not in str(error.value)


def test_columns_and_a_split_of_a_folder_are_found(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "domain"
    folder.mkdir()
    text = (tmp_path / "held.csv").read_text().replace("series,label", "numbers,mood")
    (folder / "test.csv").write_text(text)
    named = {"series": "numbers", "label": "mood"}
    report = run.evaluate(folder, columns=named, split="test")
    assert (report.facts["data"], report.facts["rows"]) == ("domain-test", "96")
    assert report.metrics == run.evaluate().metrics
    with pytest.raises(DataError, match="'series' is missing"):
        run.evaluate(folder / "test.csv")


def test_several_sources_are_a_table(run: Run, tmp_path: Path) -> None:
    far = write_rows(tmp_path / "far.csv", seed=9, rows=40)
    table = run.evaluate({"near": tmp_path / "held.csv", "far": far}, rows=tmp_path / "a.csv")
    heading, near, other = table.tables["by data"]
    assert heading[:4] == ("data", "rows", "loss", "accuracy")
    assert (near[:2], other[:2]) == (("near", "96"), ("far", "40"))
    assert near[3] == str(run.evaluate().metrics["accuracy"])
    with (tmp_path / "a-far.csv").open() as file:
        assert [row["row"] for row in csv.DictReader(file)][-1] == "far.csv row 40"


def test_rows_that_were_learned_from_are_told(run: Run, tmp_path: Path) -> None:
    report = run.evaluate(tmp_path / "series.csv")
    assert any("also stand in training" in note for note in report.notes)


def test_parquet_holds_what_json_lines_hold(run: Run, tmp_path: Path) -> None:
    from pyarrow import parquet

    for ending in ("jsonl", "parquet"):
        run.evaluate(rows=tmp_path / f"rows.{ending}")
    found = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    wanted = lines_of(tmp_path / "rows.jsonl")
    for name in ("row", "answer", "loss", "correct"):
        assert [row[name] for row in found] == [row[name] for row in wanted]


@pytest.mark.parametrize("name", ["test", "a/b", ""])
def test_a_name_is_no_path_and_no_split(name: str) -> None:
    with pytest.raises(RunError, match="cannot be given to other data"):
        named_sources({name: "rows.csv"}, None, None)


def test_rows_end_in_a_known_form(run: Run, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.jsonl, \.csv, \.parquet"):
        run.evaluate(rows=tmp_path / "rows.xlsx")


def test_rows_that_could_not_be_written_are_not_measured(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    for name, says in [("held.csv/a.csv", "is a file, not a folder"), ("folder.csv", "a folder")]:
        with pytest.raises(DataError, match=says):
            run.evaluate(rows=tmp_path / name)
    assert not (run.folder / "reports/evaluate.json").exists()


@pytest.mark.parametrize(
    ("task", "column", "cells"),
    [("regression", "target", ["1.5", "4"]), ("multilabel", "labels", ["a|b", "b"])],
)
def test_numbers_and_sets_of_labels_are_measured_too(
    task: str, column: str, cells: list[str], finetune: Finetune, tmp_path: Path
) -> None:
    text = write_rows(tmp_path / "train.csv").read_text().replace(",label", f",{column}")
    text = text.replace(",down", f",{cells[0]}").replace(",up", f",{cells[1]}")
    for name in ("train", "held"):
        (tmp_path / f"{name}.csv").write_text(text)
    run = finetune(task=task, data={"train": str(tmp_path / "train.csv"), "split": {"test": 0.2}})
    run.evaluate(tmp_path / "held.csv", rows=tmp_path / "rows.jsonl")
    rows = lines_of(tmp_path / "rows.jsonl")
    assert len(rows) == 96
    if task == "regression":
        assert {row["correct"] for row in rows} == {None}
        assert all(isinstance(row["answer"], float) for row in rows)
    else:
        said = [", ".join(sorted(row["answer"])) or "(no label)" for row in rows]
        right = [one == row["expected"] for one, row in zip(said, rows, strict=True)]
        assert [row["correct"] for row in rows] == right


def test_several_branches_are_measured_too(tmp_path: Path) -> None:
    lines = [
        {"words": row["words"], "grey": row["grey"], "label": "ab"[index % 2]}
        for index, row in enumerate(captioned.rows(24))
    ]
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    recipe = {
        "task": "classification",
        "backbone": {"words": "wordnet-tiny", "grey": "lattice-tiny"},
        "data": {"train": str(file), "test": str(file), "leakage": {"allowed": 1}},
        "training": {"steps": 2, "batch_size": 8, "compile": "off", "workers": 0},
        "evaluation": {"bootstrap": 0},
        "output": str(tmp_path / "run"),
    }
    run = Engine([captioned], discover=False, strict=True).start(recipe, "finetune")
    assert run.evaluate(file, name="again").metrics == run.evaluate().metrics
