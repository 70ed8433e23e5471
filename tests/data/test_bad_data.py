"""Rows that are bad or stand in two splits, from the recipe to the run's folder, its report, and
back."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
import multigraft_series
from helpers.toys import write_rows
from multigraft.engine import Engine
from multigraft.errors import DataError, RunError
from multigraft.models.tasks import classification_task
from multigraft.models.tasks.classification import Classification
from multigraft.models.tasks.shared import label_spec
from multigraft.runs.record import read_record
from multigraft.runs.run import Run

Finetune = Callable[..., Run]


@pytest.fixture
def spoiled(rows: Path) -> Path:
    """The toy's rows, of which the fifth holds a word."""
    lines = rows.read_text().splitlines()
    lines[5] = "1.0 two 3.0,up"
    rows.write_text("\n".join(lines) + "\n")
    return rows


def entries(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for path in sorted((folder / "quarantine").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


def test_a_bad_row_is_put_in_quarantine_and_told(
    finetune: Finetune, spoiled: Path, engine: Engine
) -> None:
    run = finetune(data={"train": str(spoiled), "on_bad_row": "quarantine"})
    (entry,) = entries(run.folder)
    assert (entry["file"], entry["row"], entry["column"]) == ("series.csv", 5, "series")
    assert entry["cells"] == {"series": "1.0 two 3.0", "label": "up"}
    facts = read_record(run.folder)
    (split,) = facts["bad_rows"]
    assert facts["bad_rows"][split]["rows"] == facts["data"][split]["left_out"] == 1
    report = json.loads((run.folder / "reports" / "finetune.json").read_text())
    assert any(
        note.startswith(f"{split}: 1 row left out that cannot be used") for note in report["notes"]
    )
    assert report["tables"]["Rows left out"][1][:4] == [split, "series.csv", "5", "series"]
    assert "holds something that is no number" in (run.folder / "report.html").read_text()
    again = engine.open(run.folder)
    assert {name: len(rows) for name, rows in again.rows.items()} == {
        name: len(rows) for name, rows in run.rows.items()
    }


def test_rows_of_a_run_that_stops_are_in_quarantine_too(
    finetune: Finetune, rows: Path, tmp_path: Path
) -> None:
    text = rows.read_text().replace("1.", "one.")
    rows.write_text(text)
    data = {"train": str(rows), "on_bad_row": "quarantine"}
    with pytest.raises(
        DataError, match=r"5\.0% may be(?s:.*)the rows were written to .*quarantine"
    ):
        finetune(data=data)
    assert len(entries(tmp_path / "run")) == sum("one." in line for line in text.splitlines())
    write_rows(rows)
    assert finetune(data=data).folder == tmp_path / "run"
    assert entries(tmp_path / "run") == []


def test_a_run_that_would_see_other_rows_is_not_opened(
    finetune: Finetune, spoiled: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same file, which another version of a library reads otherwise."""
    from multigraft_series.reader import SeriesReader

    run = finetune(data={"train": str(spoiled), "on_bad_row": "skip"})
    assert not (run.folder / "quarantine").exists()
    read = SeriesReader.read
    monkeypatch.setattr(
        SeriesReader, "read", lambda self, raw: read(self, raw.replace("two", "2.0"))
    )
    with pytest.raises(RunError, match="the data changed since the run began"):
        engine.open(run.folder)


def test_leaks_are_in_the_record_and_both_reports(
    finetune: Finetune, rows: Path, engine: Engine
) -> None:
    test = rows.with_name("test.csv")
    lines = write_rows(test, rows=20, seed=5).read_text().splitlines()
    known = rows.read_text().splitlines()[3]
    near = ",".join([known.split(",")[0] + " ", known.split(",")[1]])
    test.write_text("\n".join([*lines, known, near]) + "\n")
    run = finetune(
        data={"train": str(rows), "test": str(test), "split": {"validation": 0.1, "test": 0}}
    )
    (leak,) = [leak for leak in read_record(run.folder)["leaks"] if leak["part"] == "test"]
    assert (leak["equal"], leak["near"], leak["rows"]) == (1, 1, 22)
    assert leak["first"][0]["row"] == "test.csv row 21"
    assert run.report is not None
    assert "test.csv row 21" in [row[1] for row in run.report.tables["Rows in two splits"]]
    told = (
        "2 of 22 test rows also stand in training, 1 equal and 1 nearly so, which flatters the "
        "score"
    )
    assert told in run.evaluate().notes
    assert told in engine.open(run.folder).evaluate().notes


def test_every_row_of_two_splits_and_every_row_left_out_is_in_a_file(
    finetune: Finetune, rows: Path
) -> None:
    known = rows.read_text().splitlines()[1:]
    test = rows.with_name("test.csv")
    fresh = write_rows(test, rows=80, seed=5).read_text().splitlines()
    bad = [f"one {number},up" for number in range(30)]
    test.write_text("\n".join([*fresh, *known[:50], *bad]) + "\n")
    given = {"train": str(rows), "test": str(test), "split": {"validation": 0, "test": 0}}
    run = finetune(data={**given, "on_bad_row": "skip", "allowed_bad": 0.5})
    assert run.report is not None
    for title, count, line in (
        ("Rows in two splits", 50, ["test", "test.csv row 81", "train"]),
        ("Rows left out", 30, ["test", "test.csv", "131"]),
    ):
        with Path(run.report.files[title]).open(encoding="utf-8", newline="") as file:
            heading, *lines = csv.reader(file)
        assert tuple(heading) == run.report.tables[title][0]
        assert len(lines) >= count and line in [each[:3] for each in lines]
        assert len(run.report.tables[title]) - 1 <= 40


def test_a_copied_test_set_stops_before_a_folder_is_made(
    finetune: Finetune, rows: Path, tmp_path: Path
) -> None:
    data = {"train": str(rows), "test": str(rows), "split": {"validation": 0.1, "test": 0}}
    with pytest.raises(
        DataError, match=r"test: \d+ of 96 rows \(\d+\.\d%\) also stand in training"
    ):
        finetune(data=data)
    assert not (tmp_path / "run").exists()
    assert finetune(data={**data, "leakage": {"allowed": 1}}).facts["state"] == "finished"


def test_what_the_labels_lack_is_told(finetune: Finetune, rows: Path) -> None:
    with rows.open("a") as file:
        file.write("1 5 1 5 1,zigzag\n")
    run = finetune()
    assert (
        "1 of 3 labels has a single training row, and will hardly be learned: 'zigzag'"
        in run.facts["notes"]
    )
    one = "\n".join(line for line in rows.read_text().splitlines() if not line.endswith("up"))
    rows.write_text(one.replace("zigzag", "down") + "\n")
    with pytest.raises(DataError, match=r"series\.csv: column 'label' holds the label '\w+' alone"):
        finetune(output=str(rows.parent / "other"))


class Tags:
    """A task that learns the column ``tag``, whatever a column ``label`` holds."""

    @staticmethod
    @mg.hookimpl
    def register_tasks() -> list[mg.Task]:
        def learn(columns: Any) -> dict[str, Any]:
            return label_spec({"label": columns["tag"]})

        task = classification_task("series-tags", "series")
        return [replace(task, columns=("tag",), stratify="tag", targets=learn, objective=Tagged)]


class Tagged(Classification):
    def encode(self, row: Any, arrays: Any) -> Any:
        return super().encode({"label": row["tag"]}, arrays)


def test_a_column_that_the_task_does_not_use_is_not_judged(rows: Path, tmp_path: Path) -> None:
    lines = [line.rpartition(",")[0] for line in rows.read_text().splitlines()]
    tags = ["tag", *(line.rpartition(",")[2] for line in rows.read_text().splitlines()[1:])]
    labels = ["label", *(["up "] * (len(lines) - 1))]
    rows.write_text(
        "".join(",".join(cells) + "\n" for cells in zip(lines, tags, labels, strict=True))
    )
    fields = {
        "task": "series-tags",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "output": str(tmp_path / "run"),
    }
    engine = Engine([multigraft_series, Tags()], discover=False)
    run = engine.start({**fields, "training": {"steps": 1}}, "finetune")
    assert run.targets["labels"] == ["down", "up"]
    assert read_record(run.folder)["notes"] == []
