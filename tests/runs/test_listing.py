"""A list of the runs in a folder: what each is, damaged ones told, sorted as asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from helpers.evaluated_runs import write_run
from multigraft.contracts.report import Cost, Report
from multigraft.errors import RunError
from multigraft.runs.listing import listed_runs, listing_report
from multigraft.runs.row_results import read_results, results_file


def record(folder: Path, **facts: Any) -> Path:
    folder.mkdir(parents=True)
    whole = {
        "state": "finished",
        "task": "text-classification",
        "stage": "finetune",
        "backbone": "bert-tiny",
        "seed": 3,
        "recipe": {
            "task": "text-classification",
            "backbone": "bert-tiny",
            "data": "/data/reviews/books.csv",
            "strategy": ["partial", "layer-wise-decay"],
        },
        "best": {"value": 0.8, "step": 9, "metric": "accuracy", "greater": True},
        **facts,
    }
    (folder / "run.json").write_text(json.dumps(whole))
    return folder


def test_a_run_is_a_line(tmp_path: Path) -> None:
    folder = record(tmp_path / "deep" / "er" / "run")
    report = Report(verb="finetune", title="t", cost=Cost(61.0, 100.0))
    (folder / "reports").mkdir()
    (folder / "reports" / "finetune.json").write_text(json.dumps(report.to_dict()))
    (found,) = listed_runs(tmp_path)
    assert found.to_dict() == {
        "name": "deep/er/run",
        "folder": str(folder),
        "state": "finished",
        "task": "text-classification",
        "backbone": "bert-tiny",
        "strategy": "partial + layer-wise-decay",
        "data": "reviews/books.csv",
        "seed": 3,
        "metric": "validation accuracy",
        "value": {"value": 0.8, "low": None, "high": None},
        "greater": True,
        "seconds": 61.0,
    }
    shown = listing_report([found], tmp_path)
    assert shown.title.startswith("1 run in")
    assert shown.tables["runs"][1][-1] == "1 min 1 s"


def test_nothing_within_a_run_is_another_and_links_are_not_followed(tmp_path: Path) -> None:
    outer = record(tmp_path / "runs" / "outer")
    record(outer / "inner")
    record(tmp_path / "elsewhere" / "far")
    (tmp_path / "runs" / "link").symlink_to(tmp_path / "elsewhere")
    record(tmp_path / "runs" / ".hidden" / "run")
    assert [each.name for each in listed_runs(tmp_path / "runs")] == ["outer"]


def test_a_damaged_run_is_told_and_hides_no_other(tmp_path: Path) -> None:
    record(tmp_path / "good")
    (record(tmp_path / "bad") / "run.json").write_text("{")
    torn = record(tmp_path / "torn")
    (torn / "reports").mkdir()
    (torn / "reports" / "finetune.json").write_text("[")
    states = {each.name: each.state for each in listed_runs(tmp_path)}
    assert states["good"] == "finished"
    assert "cannot be read" in states["bad"]
    assert "cannot be read" in states["torn"]


def test_by_value_the_best_is_first_and_what_has_none_last(tmp_path: Path) -> None:
    def best(value: float | None, metric: str, greater: bool) -> dict[str, Any]:
        return {"best": {"value": value, "step": 1, "metric": metric, "greater": greater}}

    record(tmp_path / "a", **best(0.5, "accuracy", True))
    record(tmp_path / "b", **best(0.9, "accuracy", True))
    record(tmp_path / "c", **best(2.0, "loss", False))
    record(tmp_path / "d", **best(1.0, "loss", False))
    record(tmp_path / "e", **best(None, "loss", False))
    assert [each.name for each in listed_runs(tmp_path, sort="value")] == ["b", "a", "d", "c", "e"]
    backwards = listed_runs(tmp_path, sort="name", reverse=True)
    assert [each.name for each in backwards] == ["e", "d", "c", "b", "a"]


def test_mistakes_are_told_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no folder"):
        listed_runs(tmp_path / "none")
    with pytest.raises(RunError, match=r"runs have no 'vale'; did you mean 'value'"):
        listed_runs(tmp_path, sort="vale")
    assert listed_runs(tmp_path) == []
    assert "multigraft finetune" in listing_report([], tmp_path).notes[0]


def test_an_evaluated_run_shows_its_interval(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", evaluation={"confidence": 0.8})
    (found,) = listed_runs(tmp_path)
    results = read_results(results_file(folder))
    assert (found.metric, found.value) == ("accuracy", results.measures(0.8)["accuracy"])
    assert " to " in listing_report([found], tmp_path).tables["runs"][1][-2]


def test_what_all_runs_share_is_told_once(tmp_path: Path) -> None:
    runs = [record(tmp_path / f"run-{seed}", seed=seed) for seed in range(3)]
    shown = listing_report(listed_runs(tmp_path), tmp_path)
    heading, *lines = shown.tables["runs"]
    assert heading == ("run", "seed")
    assert lines == [(run.name, str(seed)) for seed, run in enumerate(runs)]
    assert shown.facts["strategy"] == "partial + layer-wise-decay"
    assert shown.facts["metric"] == "validation accuracy 0.8"
    assert "time" not in shown.facts
