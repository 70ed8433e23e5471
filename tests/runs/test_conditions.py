"""A run goes on as it began: the same recipe, processes and folder, whatever else happens beside
it."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import multigraft as mg
import multigraft_series
from multigraft.engine import Engine
from multigraft.errors import MultigraftError, RunError
from multigraft.runs.record import read_record
from multigraft.runs.run import Run
from multigraft.runtime.loading import load
from multigraft.system import disk
from multigraft.system.resume_command import resume_command

Finetune = Callable[..., Run]


class StopAt:
    """Interrupts a training at a step, as Ctrl-C does."""

    def __init__(self, step: int) -> None:
        self.step = step

    @mg.hookimpl
    def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
        if step == self.step:
            raise KeyboardInterrupt


@pytest.fixture
def interrupted(finetune: Finetune, engine: Engine, tmp_path: Path) -> Path:
    """A run that was stopped at step 4, with checkpoints before."""
    stop = StopAt(4)
    engine.catalog.admit(stop)
    with pytest.raises(KeyboardInterrupt):
        finetune(training={"epochs": 2, "batch_size": 16, "checkpoint_every": 2, "log_every": 1})
    stop.step = 0
    return tmp_path / "run"


def edit(folder: Path, field: str, value: Any) -> None:
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    section, _, name = field.rpartition(".")
    (recipe[section] if section else recipe)[name] = value
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("training.epochs", 4),
        ("seed", 7),
        ("training.learning_rate", 0.5),
        ("strategy", [{"name": "linear-probe"}]),
        ("data.limit", 10),
    ],
)
def test_an_edited_recipe_is_not_resumed(
    interrupted: Path, engine: Engine, field: str, value: Any
) -> None:
    before = (interrupted / "run.json").read_bytes()
    edit(interrupted, field, value)
    with pytest.raises(RunError, match=rf"was changed since the run began(.|\n)*{field}"):
        engine.resume(interrupted)
    assert (interrupted / "run.json").read_bytes() == before


def test_what_decides_no_bit_may_be_edited(interrupted: Path, engine: Engine) -> None:
    edit(interrupted, "training.keep", 1)
    edit(interrupted, "evaluation.bootstrap", 3)
    run = engine.resume(interrupted)
    assert read_record(run.folder)["state"] == "finished"
    assert read_record(run.folder)["recipe"]["training"]["keep"] == 1


def test_an_edited_recipe_of_a_finished_run_is_told_and_not_repeated(
    finetune: Finetune, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    run = finetune()
    edit(run.folder, "training.epochs", 5)
    engine.open(run.folder)
    assert "training.epochs: found 5; the run began with 2" in caplog.text
    with pytest.raises(RunError, match=r"training\.epochs"):
        engine.rerun(run.folder)


def change(folder: Path, **machine: Any) -> None:
    record = json.loads((folder / "run.json").read_text())
    record["machine"].update(machine)
    (folder / "run.json").write_text(json.dumps(record))


def test_another_number_of_processes_is_refused_with_the_right_command(
    interrupted: Path, engine: Engine, tmp_path: Path
) -> None:
    change(interrupted, processes=2)
    command = f"torchrun --nproc-per-node 2 -m multigraft.cli resume {interrupted}"
    with pytest.raises(RunError, match="was begun by 2 processes together, not by 1") as told:
        engine.resume(interrupted)
    assert command in str(told.value)
    with pytest.raises(RunError, match="has no trained model yet") as told:
        engine.open(interrupted)
    assert command in str(told.value)
    with pytest.raises(RunError, match="already holds a run") as told:
        engine.start({**yaml.safe_load((interrupted / "recipe.yaml").read_text())}, "finetune")
    assert command in str(told.value)
    with pytest.raises(RunError) as told, disk.explaining(interrupted):
        raise OSError(28, "No space left on device", str(interrupted / "x"))
    assert command in str(told.value)


def test_a_finished_run_of_two_is_not_repeated_by_one(finetune: Finetune, engine: Engine) -> None:
    run = finetune()
    change(run.folder, processes=2)
    with pytest.raises(RunError, match=r"torchrun --nproc-per-node 2 -m multigraft\.cli rerun"):
        engine.rerun(run.folder)
    assert engine.open(run.folder).evaluate().metrics  # measuring needs no second process


@pytest.mark.parametrize(
    "said", ["{", "[]", '{"machine": 3}', '{"machine": {"processes": "x; rm"}}', "[" * 9999]
)
def test_a_record_that_says_nonsense_gives_the_plain_command(tmp_path: Path, said: str) -> None:
    (tmp_path / "run.json").write_text(said)
    assert resume_command(tmp_path) == f"multigraft resume {tmp_path}"


def test_a_record_cannot_ask_for_any_number_of_threads(finetune: Finetune, engine: Engine) -> None:
    run = finetune()
    change(run.folder, threads=4096)
    with pytest.raises(RunError, match="was computed with 4096 threads, and at most"):
        engine.rerun(run.folder)


def test_folders_stay_where_they_were_named(
    finetune: Finetune, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    monkeypatch.chdir(there)
    finetune(output="run")
    bundle = there / "run" / "bundle"
    bundle.mkdir()
    (bundle / "mine").touch()
    monkeypatch.chdir(here)
    run = finetune(output="run", seed=1)
    again = engine.open(Path("run"))
    monkeypatch.chdir(there)
    assert Path(run.export().files["bundle"]) == here / "run" / "bundle"
    again.evaluate()
    assert [path.name for path in bundle.iterdir()] == ["mine"]
    assert not (there / "run" / "reports" / "evaluate.json").exists()
    assert (here / "run" / "reports" / "evaluate.json").exists()
    assert yaml.safe_load((here / "run" / "recipe.yaml").read_text())["output"] == str(here / "run")


def test_a_bundle_answers_after_the_folder_was_left(
    finetune: Finetune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Path(finetune().export().files["bundle"])
    monkeypatch.chdir(bundle.parent)
    predictor = load("bundle", catalog=mg.Catalog([multigraft_series], discover=False))
    before = predictor.predict(["1 2 3"])
    monkeypatch.chdir(tmp_path)
    assert predictor.predict(["1 2 3"]) == before


def test_a_run_goes_on_on_the_disk_that_it_fits_on(
    finetune: Finetune, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 0
    usage = disk.shutil.disk_usage

    def small(folder: Path) -> Any:
        return usage(folder)._replace(free=room - disk.size_of(tmp_path / "run"))

    monkeypatch.setattr(disk.shutil, "disk_usage", small)
    stop = StopAt(5)
    engine.catalog.admit(stop)
    with pytest.raises(RunError, match="need about") as told:
        finetune(training={"epochs": 2, "checkpoint_every": 1})
    room = (
        int(float(str(told.value).partition("need about ")[2].split(" ")[0].replace(",", "")) * 1e6)
        + 200_000
    )
    (tmp_path / "run" / "run.json").unlink()
    with pytest.raises(KeyboardInterrupt):
        finetune(training={"epochs": 2, "checkpoint_every": 1})
    stop.step = 0
    assert read_record(engine.resume(tmp_path / "run").folder)["state"] == "finished"


def test_a_resumed_run_is_warned_of_a_small_disk_and_goes_on(
    interrupted: Path,
    engine: Engine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    usage = disk.shutil.disk_usage
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage(folder)._replace(free=0))
    monkeypatch.setattr(disk, "size_of", lambda folder: 0)
    assert read_record(engine.resume(interrupted).folder)["state"] == "finished"
    assert "where it fills up, make room and go on again" in caplog.text


@pytest.mark.parametrize("harm", ["removed", "torn", "changed"])
def test_lost_lines_are_told(
    interrupted: Path, engine: Engine, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = interrupted / "metrics.jsonl"
    text = path.read_text()
    path.write_text(
        {"removed": "", "torn": text[:9], "changed": text.replace('"step": 1', '"step": 0')}[harm]
    )
    if harm == "removed":
        path.unlink()
    run = engine.resume(interrupted)
    assert "metrics.jsonl is not what it was at the last checkpoint" in caplog.text
    assert any("metrics.jsonl is not" in note for note in read_record(run.folder)["notes"])
    assert run.report is not None
    assert any("metrics.jsonl is not" in note for note in run.report.notes)


def test_lines_that_are_there_are_not_complained_of(
    interrupted: Path, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with (interrupted / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "torn')  # behind the checkpoint, as a kill leaves it
    engine.resume(interrupted)
    assert "metrics.jsonl is not" not in caplog.text


STARTED, REFUSED = 0, 3


def start(recipe: Mapping[str, Any], folder: Path, barrier: Any) -> None:
    """One of two starters, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    os.chdir(folder)
    barrier.wait()
    try:
        Engine([multigraft_series], discover=False).start(recipe, "finetune")
    except MultigraftError as error:
        refused = "is at work on this run" in str(error) or "already holds a run" in str(error)
        os._exit(REFUSED if refused else 4)
    os._exit(STARTED)


def race(folder: Path, *recipes: Mapping[str, Any]) -> list[int]:
    """The exit codes of starters that begin at the same moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["multigraft.engine", "multigraft_series", "torchmetrics", "transformers"]
    )
    barrier = context.Barrier(len(recipes))
    processes = [
        context.Process(target=start, args=(recipe, folder, barrier)) for recipe in recipes
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return [process.exitcode for process in processes]


@pytest.mark.parametrize("tries", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_of_two_starters_one_runs_and_the_folder_is_its_own(
    tries: int, rows: Path, tmp_path: Path
) -> None:
    won: Counter[int] = Counter()
    for number in range(tries):
        output = tmp_path / f"run-{number}"
        recipes = [
            {
                "task": "series-classification",
                "backbone": "tcn-tiny",
                "data": {"train": str(rows), "limit": 40},
                "training": {"steps": 1 + seed, "batch_size": 4},
                "seed": seed,
                "output": str(output),
            }
            for seed in (0, 1)
        ]
        codes = race(tmp_path, *recipes)
        assert sorted(codes) == [STARTED, REFUSED], codes
        winner = codes.index(STARTED)
        won[winner] += 1
        facts = read_record(output)
        assert (facts["seed"], facts["state"], facts["steps"]) == (winner, "finished", 1 + winner)
        assert yaml.safe_load((output / "recipe.yaml").read_text())["seed"] == winner
        assert not [path for path in output.iterdir() if path.name.endswith(".new")]


@pytest.mark.parametrize("tries", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_starters_without_an_output_get_folders_of_their_own(
    tries: int, rows: Path, tmp_path: Path
) -> None:
    for number in range(tries):
        here = tmp_path / str(number)
        here.mkdir()
        recipe = {
            "task": "series-classification",
            "backbone": "tcn-tiny",
            "data": str(rows),
            "training": {"steps": 1},
        }
        assert race(here, recipe, recipe) == [STARTED, STARTED]
        folders = list((here / "runs").iterdir())
        assert len(folders) == 2
        assert [read_record(folder)["state"] for folder in folders] == ["finished"] * 2
