"""From a recipe to a run folder and back, and who may answer a verb."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
import multigraft_series
from helpers.toys import write_rows
from multigraft import verbs
from multigraft.engine import Engine
from multigraft.errors import DataError, PluginError, RecipeError, RunError
from multigraft.runs.record import read_record
from multigraft.runs.run import Run

Finetune = Callable[..., Run]


def test_a_run_is_a_folder_that_tells_everything(finetune: Finetune) -> None:
    training = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01}
    run = finetune(training={**training, "checkpoint_every": 5})  # unset, the clock decides
    facts = read_record(run.folder)
    assert facts["state"] == "finished"
    assert facts["plugins"] == {"multigraft_series": ""}
    assert facts["targets"]["labels"] == ["down", "up"]
    assert facts["data"]["train"]["rows"] + facts["data"]["test"]["rows"] < 96
    for name in ("recipe.yaml", "metrics.jsonl", "report.html", "model/head.safetensors"):
        assert (run.folder / name).stat().st_size > 0, name
    kept = sorted(path.name for path in (run.folder / "checkpoints").iterdir())
    assert f"best-{facts['best']['step']:08d}" in kept


def test_an_opened_run_measures_the_same(finetune: Finetune, engine: Engine) -> None:
    run = finetune()
    before = run.evaluate()
    again = engine.open(run.folder).evaluate()
    assert again.metrics == before.metrics
    assert again.confusion == before.confusion
    assert [row.place for row in again.worst] == [row.place for row in before.worst]


def test_evaluation_has_intervals_and_places(finetune: Finetune) -> None:
    report = finetune().evaluate()
    accuracy = report.metrics["accuracy"]
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.low <= accuracy.value <= accuracy.high
    assert {"precision_macro", "recall_macro", "f1_macro", "f1_micro", "calibration_error"} <= set(
        report.metrics
    )
    assert report.confusion is not None
    assert sum(map(sum, report.confusion.matrix)) == int(report.facts["rows"])
    assert report.worst[0].place.startswith("series.csv row ")


def test_rows_without_weight_are_not_among_the_worst(
    finetune: Finetune, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not count in the loss is no worst row: a loss over a weight of 0 would rank
    first."""
    run = finetune()
    loss = type(run.objective).loss

    def partly(self: Any, outputs: Any, batch: Any) -> mg.RowLoss:
        found = loss(self, outputs, batch)
        return mg.RowLoss(found.total, found.weight * batch["label"])

    monkeypatch.setattr(type(run.objective), "loss", partly)
    with_settings = run.recipe.evaluation.model_copy(update={"worst": 100})
    run.recipe = run.recipe.model_copy(update={"evaluation": with_settings})
    worst = run.evaluate().worst
    assert 0 < len(worst) < len(run.rows["test"])
    assert {row.expected for row in worst} == {"up"}
    assert all(row.loss < 100 for row in worst)


def test_pretraining_feeds_finetuning(
    engine: Engine, finetune: Finetune, rows: Path, tmp_path: Path
) -> None:
    pretrained = engine.start(
        {
            "task": "series-denoising",
            "backbone": "tcn-tiny",
            "data": str(rows),
            "training": {"epochs": 3, "learning_rate": 0.01},
            "output": str(tmp_path / "pretrained"),
        },
        "pretrain",
    )
    report = pretrained.evaluate()
    assert {"loss", "knn_accuracy", "linear_probe_accuracy"} <= set(report.metrics)
    run = finetune(
        backbone={"name": "tcn-tiny", "weights": str(pretrained.folder)},
        strategy="linear-probe",
    )
    ours, theirs = run.graft.backbone.state_dict(), pretrained.graft.backbone.state_dict()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    assert read_record(run.folder)["weights"] == str(pretrained.folder / "model")


def test_a_run_is_opened_from_anywhere_and_without_what_it_grew_from(
    engine: Engine, finetune: Finetune, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = finetune(data=rows.name, output="first")
    second = finetune(
        data=rows.name, output="second", backbone={"name": "tcn-tiny", "weights": "first"}
    )
    before = second.evaluate().metrics
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (tmp_path / "first").rename(tmp_path / "gone")
    assert engine.open(tmp_path / "second").evaluate().metrics == before
    assert first.folder == tmp_path / "first"


def test_lora_is_merged_in_the_saved_model(finetune: Finetune, engine: Engine) -> None:
    run = finetune(strategy="lora")
    assert not any("lora" in name for name in run.graft.state_dict())
    assert engine.open(run.folder).evaluate().metrics == run.evaluate().metrics


def test_a_plugin_may_wrap_or_replace_a_verb(rows: Path, tmp_path: Path) -> None:
    class Wraps:
        @mg.hookimpl(wrapper=True)
        def evaluate(self, run: Run) -> Any:
            report = yield
            return mg.Report(verb="evaluate", title="wrapped", metrics=report.metrics)

    engine = Engine([multigraft_series, Wraps()], discover=False)
    recipe = {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "training": {"steps": 2},
        "output": str(tmp_path / "run"),
    }
    report = engine.start(recipe, "finetune").evaluate()
    assert report.title == "wrapped"
    assert "accuracy" in report.metrics


def test_a_wrong_answer_names_who_gave_it(finetune: Finetune, engine: Engine) -> None:
    class Wrong:
        @mg.hookimpl
        def evaluate(self, run: Run) -> Any:
            return {"accuracy": 1.0}

    run = finetune()
    engine.catalog.admit(Wrong())
    with pytest.raises(
        PluginError, match=r"evaluate was answered with dict instead of a Report .*Wrong"
    ):
        run.evaluate()


def test_observers_see_steps_and_epochs_and_may_stop(rows: Path, tmp_path: Path) -> None:
    class Watch:
        def __init__(self) -> None:
            self.steps: list[int] = []
            self.epochs: list[int] = []

        @mg.hookimpl
        def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
            assert set(logs) == {"loss", "learning_rate"}
            self.steps.append(step)
            if step == 7:
                run.stop = "seen enough"

        @mg.hookimpl
        def epoch_end(self, run: Run, epoch: int, metrics: Mapping[str, float]) -> None:
            assert "accuracy" in metrics
            self.epochs.append(epoch)

    watch = Watch()
    engine = Engine([multigraft_series, watch], discover=False)
    run = engine.start(
        {
            "task": "series-classification",
            "backbone": "tcn-tiny",
            "data": str(rows),
            "training": {"epochs": 4, "batch_size": 16},
            "output": str(tmp_path / "run"),
        },
        "finetune",
    )
    assert watch.steps == list(range(1, 8))
    assert watch.epochs == [1, 2]
    assert read_record(run.folder)["reason"] == "seen enough"


def test_early_stopping(finetune: Finetune) -> None:
    run = finetune(
        training={"epochs": 50, "learning_rate": 1e-9, "early_stopping": 2, "batch_size": 32}
    )
    assert run.stop == "no better accuracy in 2 epochs"
    assert len(run.history) == 3


def test_a_resumed_run_knows_why_it_was_stopped(
    finetune: Finetune, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = {"epochs": 9, "learning_rate": 1e-9, "early_stopping": 2, "checkpoint_every": 1}
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(verbs, "save_model_folder", lambda run: 1 / 0)
        finetune(training=training)
    run = engine.resume(tmp_path / "run")
    assert run.stop == "no better accuracy in 2 epochs"
    assert read_record(run.folder)["reason"] == run.stop


def test_mistakes_are_told_before_anything_is_written(
    engine: Engine, rows: Path, tmp_path: Path
) -> None:
    good = {"backbone": "tcn-tiny", "data": str(rows), "output": str(tmp_path / "run")}
    with pytest.raises(
        RecipeError, match="'series-denoising' is for pretrain; call: multigraft pretrain"
    ):
        engine.start({**good, "task": "series-denoising"}, "finetune")
    with pytest.raises(RecipeError, match="series has no augmentation"):
        engine.start(
            {**good, "task": "series-classification", "training": {"augment": "light"}}, "finetune"
        )
    with pytest.raises(DataError, match="label"):
        bad = {**good, "data": {"train": str(rows), "columns": {"label": "nothing"}}}
        engine.start({**bad, "task": "series-classification"}, "finetune")
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_never_overwritten(finetune: Finetune) -> None:
    finetune()
    with pytest.raises(RunError, match="already holds a run"):
        finetune()


def test_what_cannot_be_opened_or_resumed(
    finetune: Finetune, engine: Engine, rows: Path, tmp_path: Path
) -> None:
    with pytest.raises(RunError, match="is not a run"):
        engine.open(tmp_path)
    run = finetune()
    with pytest.raises(RunError, match="is finished"):
        engine.resume(run.folder)
    write_rows(rows, seed=1)
    with pytest.raises(RunError, match="the data changed since the run began"):
        engine.open(run.folder)


def test_bad_rows_stop_the_run_or_are_left_out_as_told(finetune: Finetune, rows: Path) -> None:
    lines = rows.read_text().splitlines()
    lines[5] = "1.0 two 3.0,up"
    rows.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        DataError, match=r"series\.csv row 5, column 'series': holds something that is no number"
    ):
        finetune()
    bad = rows.with_name("validation.csv")
    bad.write_text("series,label\n1 2,up\n,down\n")
    with pytest.raises(
        DataError,
        match=r"(?s)series\.csv row 5, column.*validation\.csv row 2: column 'series' is empty",
    ):
        finetune(data={"train": str(rows), "validation": str(bad)})  # both splits' faults at once
    run = finetune(data={"train": str(rows), "on_bad_row": "skip", "allowed_bad": 0.05})
    assert sum(len(split.problems) for split in run.rows.values()) == 1


def test_reports_are_kept_as_data(finetune: Finetune) -> None:
    run = finetune()
    report = run.evaluate()
    raw = json.loads((run.folder / "reports" / "evaluate.json").read_text())
    assert mg.Report.from_dict(raw) == report
