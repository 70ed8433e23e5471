"""What the trackers' own readers find is what metrics.jsonl and the reports say, once each."""

from __future__ import annotations

import csv
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
import multigraft_series
from helpers.toys import write_rows
from multigraft.callbacks import CSV, MLflow, TensorBoard
from multigraft.engine import Engine
from multigraft.errors import MissingDependency, RecipeError, RunError
from multigraft.runs.run import Run
from multigraft.training.callbacks import trackers
from multigraft.training.callbacks.points import Following, Point, line_points
from multigraft.training.callbacks.settings import flat, shown

Curves = dict[str, list[tuple[int, float]]]
Read = Callable[[Path], Curves]


def said(run: Path) -> Curves:
    """The curves of metrics.jsonl."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return curves(point for line in lines for point in line_points(line))


def curves(points: Iterator[Point]) -> Curves:
    found: Curves = {}
    for step, name, value in points:
        found.setdefault(name, []).append((step, value))
    return found


def read_csv(run: Path) -> Curves:
    with (run / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return curves(Point(int(row["step"]), row["name"], float(row["value"])) for row in rows)


def read_tensorboard(run: Path) -> Curves:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found: Curves = {}
    for file in sorted((run / "tensorboard").iterdir()):
        events = EventAccumulator(str(file)).Reload()
        for tag in events.Tags()["scalars"]:
            assert tag not in found, "one file a kind"
            found[tag] = [(event.step, event.value) for event in events.Scalars(tag)]
    return found


def client(run: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=f"sqlite:///{run / 'mlflow' / 'mlflow.db'}")


def mlflow_run(run: Path) -> Any:
    asked = client(run)
    (experiment,) = [each for each in asked.search_experiments() if each.name == "multigraft"]
    (found,) = asked.search_runs([experiment.experiment_id])
    return found


def read_mlflow(run: Path) -> Curves:
    found = mlflow_run(run)
    histories = {
        name: client(run).get_metric_history(found.info.run_id, name) for name in found.data.metrics
    }
    return {
        name: sorted((metric.step, metric.value) for metric in history)
        for name, history in histories.items()
    }


READERS = {"csv": read_csv, "tensorboard": read_tensorboard, "mlflow": read_mlflow}


def recipe(folder: Path, **fields: Any) -> dict[str, Any]:
    return {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(write_rows(folder / "series.csv")),
        "training": {"epochs": 2, "batch_size": 16, "log_every": 1, "checkpoint_every": 2},
        "evaluation": {"bootstrap": 20},
        "output": str(folder / "run"),
        **fields,
    }


class Pulls:
    """Ends the process's run in the midst, as a person who presses Ctrl-C."""

    @mg.hookimpl(trylast=True)
    def step_end(self, step: int) -> None:
        if step == 5:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with every tracker that was interrupted after five steps, resumed, and evaluated
    twice."""
    folder = tmp_path_factory.mktemp("tracked")
    with pytest.raises(KeyboardInterrupt):
        Engine([multigraft_series, Pulls()], discover=False).start(
            recipe(folder, track=["csv", "tensorboard", "mlflow"]), "finetune"
        )
    engine = Engine([multigraft_series], discover=False)
    run = engine.resume(folder / "run")
    run.evaluate()
    engine.open(folder / "run").evaluate()
    return run


@pytest.mark.parametrize("name", READERS)
def test_the_log_holds_each_point_once(stopped: Run, name: str) -> None:
    found, wanted = READERS[name](stopped.folder), said(stopped.folder)
    assert stopped.facts["resumed"] == 1
    assert [step for step, _ in wanted["train/loss"]] == list(range(1, 11))
    for curve, points in wanted.items():
        assert [step for step, _ in found[curve]] == [step for step, _ in points], curve
        assert [value for _, value in found[curve]] == pytest.approx([value for _, value in points])


@pytest.mark.parametrize("name", READERS)
def test_the_figures_of_the_reports_are_there(stopped: Run, name: str) -> None:
    found = READERS[name](stopped.folder)
    assert stopped.report is not None
    for metric, measure in stopped.report.metrics.items():
        assert found[f"evaluate/test/{metric}"] == [(10, pytest.approx(measure.value))]
        assert found[f"evaluate/test/{metric}_low"] == [(10, pytest.approx(measure.low))]
    assert found["finetune/validation_accuracy"][0][0] == 10


def test_the_recipe_is_there(stopped: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder = stopped.folder / "tensorboard"
    (train,) = [file for file in folder.iterdir() if file.name.endswith(".train")]
    (text,) = EventAccumulator(str(train)).Reload().Tensors("recipe/text_summary")
    assert b"name: series-classification" in text.tensor_proto.string_val[0]
    found = mlflow_run(stopped.folder)
    assert found.data.params["training.batch_size"] == "16"
    assert found.info.status == "FINISHED"
    assert "name: series-classification" in found.data.tags["mlflow.note.content"]
    assert not (stopped.folder / "mlflow" / "artifacts").exists()


def test_all_lies_in_the_run_s_folder(stopped: Run) -> None:
    assert {path.name for path in stopped.folder.parent.iterdir()} == {"run", "series.csv"}
    assert {"metrics.csv", "tensorboard", "mlflow"} <= {
        path.name for path in stopped.folder.iterdir()
    }


def test_a_tracker_handed_over_takes_the_place_of_the_recipe_s(tmp_path: Path) -> None:
    engine = Engine([multigraft_series, CSV(tmp_path / "all.csv")], discover=False)
    run = engine.start(recipe(tmp_path, track="csv"), "finetune")
    assert not (run.folder / "metrics.csv").exists()
    engine.start(recipe(tmp_path, output=str(tmp_path / "second")), "finetune")
    with (tmp_path / "all.csv").open(newline="") as file:
        runs = [row["run"] for row in csv.DictReader(file)]
    assert runs.count(str(run.folder)) == runs.count(str(tmp_path / "second")) > 10


def test_runs_stand_side_by_side_in_a_folder_for_tensorboard(tmp_path: Path) -> None:
    engine = Engine([multigraft_series, TensorBoard(tmp_path / "board")], discover=False)
    for name in ("first", "second"):
        engine.start(recipe(tmp_path, output=str(tmp_path / name)), "finetune")
    assert {path.name for path in (tmp_path / "board").iterdir()} == {"first", "second"}


def test_a_table_of_another_kind_is_left_alone(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    table.write_text("a,b\n1,2\n")
    run = Engine([multigraft_series, CSV(table)], discover=False).start(
        recipe(tmp_path), "finetune"
    )
    assert table.read_text() == "a,b\n1,2\n"
    assert run.report is not None
    assert any(
        "'CSV' raised RunError" in note and "name another file" in note for note in run.report.notes
    )


def test_a_disk_that_fails_at_the_report_costs_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine([multigraft_series, TensorBoard()], discover=False)
    run = engine.start(recipe(tmp_path), "finetune")

    def full(*_: Any) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("multigraft.training.callbacks.tensorboard.EventFiles.figures", full)
    report = run.evaluate()
    assert "accuracy" in report.metrics
    assert "TensorBoard does not hold this report: No space left on device" in report.notes


@pytest.mark.parametrize(("make", "library"), [(TensorBoard, "tensorboard"), (MLflow, "mlflow")])
def test_what_is_missing_is_told_before_the_work(
    make: Callable[[], object], library: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None if name == library else name)
    with pytest.raises(MissingDependency, match=r'pip install "multigraft\[track\]"'):
        make()
    engine = Engine([multigraft_series], discover=False)
    with pytest.raises(MissingDependency, match=library):
        engine.start(recipe(tmp_path, track=[library]), "finetune")
    assert not (tmp_path / "run").exists()


def test_an_evaluation_elsewhere_goes_without(
    stopped: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    run = Engine([multigraft_series], discover=False).open(stopped.folder)
    with caplog.at_level(logging.WARNING, logger="multigraft"):
        assert "accuracy" in run.evaluate().metrics
    assert "track: tensorboard is not installed" in caplog.text


def test_a_wrong_name_is_a_mistake_in_the_recipe(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"track.*tensorboard"):
        Engine([multigraft_series], discover=False).start(
            recipe(tmp_path, track=["tensorbord"]), "finetune"
        )


def test_the_journal_is_followed_through_a_rewriting(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    following = Following(path)
    assert following.read() == (False, [])
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    assert following.read() == (True, [Point(1, "train/loss", 2.0)])
    with path.open("a") as file:
        file.write('ss": 1.0}\n')
    assert following.read() == (False, [Point(2, "train/loss", 1.0)])
    assert following.read() == (False, [])
    beside = tmp_path / "beside"
    beside.write_text('{"step": 1, "loss": 3.0}\n')
    beside.replace(path)
    assert following.read() == (True, [Point(1, "train/loss", 3.0)])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"api_key": "x"}, {"api_key": "(hidden)"}),
        ({"reader": {"HF-Token": "x"}}, {"reader": {"HF-Token": "(hidden)"}}),
        ({"a": [{"password": 1}]}, {"a": [{"password": "(hidden)"}]}),
        ({"tokenizer": "x", "max_tokens": 3}, {"tokenizer": "x", "max_tokens": 3}),
        ({"data": "https://me:secret@h/x"}, {"data": "https://(hidden)@h/x"}),
    ],
)
def test_no_secret_is_shown(given: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert shown(given) == wanted
    assert "secret" not in str(dict(flat(shown(given))))


def test_the_table_needs_its_own_heading(tmp_path: Path) -> None:
    from multigraft.training.callbacks.csvfile import CsvFile

    (tmp_path / "metrics.csv").write_text("run,step\n")
    with pytest.raises(RunError, match="does not begin with run,step,name,value"):
        CsvFile(None).open(type("Standing", (), {"folder": tmp_path})())


def test_mlflow_tells_nobody(tmp_path: Path) -> None:
    """In a process that does not look like a test's, where MLflow would."""
    script = (
        "import os; from multigraft.training.callbacks.mlflow import _client; "
        "_client('sqlite:///runs.db'); from mlflow.telemetry.client import get_telemetry_client; "
        "assert get_telemetry_client() is None; assert os.environ['MLFLOW_DISABLE_TELEMETRY'] == "
        "'true'"
    )
    looks = ("CI", "PYTEST", "MLFLOW", "BUILD", "GITHUB", "JENKINS")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(looks)}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
