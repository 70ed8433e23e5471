"""A bundle is measured on tables without torch, and has the figures of its run."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import multigraft as mg
import multigraft_series
from helpers.bundle_figures import figures_agree
from helpers.toys import write_rows
from multigraft.cli import main
from multigraft.errors import BundleError, DataError, PredictError, RunError
from multigraft.plugins import catalog as catalogs
from multigraft.runtime.manifest import TASK_OPTIONS

CATALOG = mg.Catalog([multigraft_series], discover=False)
WITHOUT_TORCH = """
import json, sys
for name in ("torch", "transformers", "torchmetrics", "scipy", "sklearn", "timm", "datasets"):
    sys.modules[name] = None
import multigraft as mg
import multigraft_series
catalog = mg.Catalog([multigraft_series], discover=False)
predictor = mg.load(sys.argv[1], precision="fp32", catalog=catalog)
report = mg.evaluate(predictor, sys.argv[2], groups="side", catalog=catalog, rows=sys.argv[3])
json.dump(report.to_dict(), sys.stdout)
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> mg.Run:
    """A run whose loss follows from its task's options."""
    folder = tmp_path_factory.mktemp("series")
    task = {"name": "series-classification", "class_weights": "balanced", "label_smoothing": 0.1}
    recipe = {
        "task": task,
        "backbone": "tcn-tiny",
        "data": str(write_rows(folder / "series.csv")),
        "training": {"epochs": 1, "batch_size": 16, "learning_rate": 0.01, "precision": "fp32"},
        "evaluation": {"bootstrap": 20},
        "export": {"precisions": ["fp32"]},
        "output": str(folder / "run"),
    }
    made = mg.Engine([multigraft_series], discover=False).start(recipe, "finetune")
    made.export(quiet=True)
    return made


@pytest.fixture(scope="module")
def predictor(run: mg.Run) -> mg.Predictor:
    return mg.load(run.folder / "bundle", catalog=CATALOG)


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """Rows of two sides, of which three have a label that nobody learned."""
    lines = write_rows(tmp_path / "plain.csv", seed=3).read_text().replace(",up\n", ",flat\n", 3)
    first, *rest = lines.splitlines()
    sides = [f"{line},{'left' if place % 3 else 'right'}" for place, line in enumerate(rest)]
    path = tmp_path / "held.csv"
    path.write_text("\n".join([f"{first},side", *sides]) + "\n")
    return path


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_it_has_the_figures_of_its_run(run: mg.Run, held: Path) -> None:
    found = figures_agree(run, held, without=(), groups="side")
    wanted = run.evaluate(held, groups="side", quiet=True)
    assert found.facts["rows"] == "93"
    assert any(note.startswith("there: 3 rows left out: label 'flat'") for note in found.notes)
    assert found.tables["by side"][0] == ("group", "rows", "accuracy", "interval")
    assert found.tables["by side"] == wanted.tables["by side"]
    assert [row.place for row in found.worst] == [row.place for row in wanted.worst]


def test_its_answers_are_those_of_the_run(
    run: mg.Run, predictor: mg.Predictor, held: Path, tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "bundle.jsonl", tmp_path / "run.jsonl"
    report = mg.evaluate(predictor, held, rows=ours, catalog=CATALOG, bootstrap=0)
    run.evaluate(held, rows=theirs, quiet=True)
    assert report.files == {"answers": str(ours)}
    assert report.metrics["accuracy"].low is None and "intervals" not in report.facts
    for one, other in zip(records(ours), records(theirs), strict=True):
        assert one.pop("scores") == pytest.approx(other.pop("scores"), abs=1e-6)
        assert one.pop("loss") == pytest.approx(other.pop("loss"), abs=1e-5)
        assert one == other


def test_it_needs_no_torch(run: mg.Run, held: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, run.folder / "bundle", held, tmp_path / "a.csv"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = mg.Report.from_dict(json.loads(done.stdout))
    wanted = run.evaluate(held, groups="side", quiet=True)
    assert {name: each.value for name, each in found.metrics.items()} == pytest.approx(
        {name: each.value for name, each in wanted.metrics.items()}, abs=2e-6
    )
    assert (tmp_path / "a.csv").read_text().startswith("row,id,expected,answer")


def test_several_sources_on_the_command_line_are_a_table(
    run: mg.Run,
    held: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def said(*words: object) -> tuple[int, str, str]:
        code = main(["evaluate", *map(str, words)])
        return code, *capsys.readouterr()

    monkeypatch.setattr(catalogs, "Catalog", lambda: CATALOG)
    bundle, twice = run.folder / "bundle", ("--data", held, "--data", held)
    code, _, err = said(bundle, *twice)
    assert code == 1 and "would stand for two" in err
    named = ("--name", "one", "--name", "two")
    code, out, _ = said(bundle, *twice, *named, "--rows", tmp_path / "rows.jsonl", "--json")
    table = json.loads(out)["tables"]["by data"]
    assert code == 0 and table[0][:4] == ["data", "rows", "loss", "accuracy"]
    assert [line[:2] for line in table[1:]] == [["one", "93"], ["two", "93"]]
    assert table[1][2:] == table[2][2:]
    assert len(records(tmp_path / "rows-two.jsonl")) == 93


def test_a_run_with_a_precision_is_its_bundle_on_the_command_line(
    run: mg.Run,
    held: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(catalogs, "Catalog", lambda: CATALOG)
    far = tmp_path / "far.csv"
    far.write_text(held.read_text().replace("series,label", "numbers,mood"))
    asked = ["evaluate", str(run.folder), "--precision", "fp32", "--data", str(far)]
    assert main([*asked, "--columns", "series=numbers", "--columns", "label=mood"]) == 0
    assert "series-classification with tcn-tiny on far" in capsys.readouterr().out
    assert main(asked) == 1
    assert "--columns" in capsys.readouterr().err
    assert main(asked[:-2]) == 2
    assert "--data FILE" in capsys.readouterr().err


def test_rows_in_python_and_of_no_use(predictor: mg.Predictor, held: Path) -> None:
    rows = {"series": ["1 2 3", "3 2 1"], "label": ["up", "down"]}
    assert mg.evaluate(predictor, rows, catalog=CATALOG).facts["rows"] == "2"
    with pytest.raises(DataError, match=r"2 of 2 rows .*cannot be used"):
        mg.evaluate(predictor, {**rows, "label": ["a", "b"]}, catalog=CATALOG)
    with pytest.raises(RunError, match=r"groups: held\.csv has no column 'town'"):
        mg.evaluate(predictor, held, groups="town", catalog=CATALOG)
    with pytest.raises(PredictError, match="take no 'top_k'"):
        mg.evaluate(predictor, held, asked={"top_k": 1}, catalog=CATALOG)
    with pytest.raises(RunError, match="confidence"):
        mg.evaluate(predictor, held, confidence=2, catalog=CATALOG)


def with_facts(predictor: mg.Predictor, **facts: Any) -> mg.Predictor:
    """The predictor of a bundle that says something else of itself."""
    made = copy.copy(predictor)
    kept = {name: value for name, value in predictor.bundle.facts.items() if name not in facts}
    told = {name: value for name, value in facts.items() if value is not None}
    made.bundle = predictor.bundle.model_copy(update={"facts": {**kept, **told}})
    return made


def test_a_bundle_that_does_not_tell_its_options_has_no_loss(
    predictor: mg.Predictor, held: Path, tmp_path: Path
) -> None:
    old = with_facts(predictor, **{TASK_OPTIONS: None})
    report = mg.evaluate(old, held, rows=tmp_path / "rows.jsonl", catalog=CATALOG)
    assert next(iter(report.metrics)) == "accuracy" and not report.worst
    assert any("does not say the options" in note for note in report.notes)
    assert {row["loss"] for row in records(tmp_path / "rows.jsonl")} == {None}
    odd = with_facts(predictor, **{TASK_OPTIONS: {"label_smoothing": "much"}})
    with pytest.raises(BundleError, match=r"label_smoothing: 'much'.*export the run again"):
        mg.evaluate(odd, held, catalog=CATALOG)


class Other:
    """The toy's modality with a task of the same name that says nothing without torch."""

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    @mg.hookimpl
    def register_modalities(self) -> Sequence[mg.Modality]:
        return multigraft_series.register_modalities()

    @mg.hookimpl
    def register_tasks(self) -> Sequence[mg.Task]:
        task = CATALOG.task("series-classification")
        return [replace(task, row_objective=None, **self._changes)]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "is measured by its objective alone, which needs torch: evaluate its run"),
        ({"stage": "pretrain", "answers": None}, "pretrains: its bundle gives embeddings"),
    ],
)
def test_a_task_that_is_measured_by_torch_alone_is_refused(
    predictor: mg.Predictor, held: Path, changes: dict[str, Any], says: str
) -> None:
    catalog = mg.Catalog([Other(**changes)], discover=False)
    with pytest.raises(BundleError, match=says):
        mg.evaluate(predictor, held, catalog=catalog)
    with pytest.raises(BundleError, match="the task came from plugin"):
        mg.evaluate(predictor, held, catalog=mg.Catalog([], discover=False))


def test_answers_with_scores_are_enough(predictor: mg.Predictor, held: Path) -> None:
    """A stranger's task whose record names no half without torch."""
    rights = mg.Catalog([Other(answers=Scored)], discover=False)
    made = copy.copy(predictor)
    made._maker = Scored(predictor.bundle.targets)
    report = mg.evaluate(made, held, groups="side", catalog=rights)
    assert list(report.metrics) == ["accuracy", "worst_group_accuracy"]
    assert report.facts["rows"] == "96", "nothing says which labels are known"


class Scored(mg.Answers):
    """The answers of a stranger: a label, right or wrong."""

    def __init__(self, targets: Any) -> None:
        self._labels = targets["labels"]

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Any) -> dict[str, Any]:
        return {"label": self._labels[int(windows[0].outputs["probabilities"].argmax())]}

    def score(self, answer: Any, row: Any) -> dict[str, float]:
        return {"right": float(answer["label"] == row["label"].strip())}

    def summarise(self, kept: Any) -> dict[str, float]:
        return {"accuracy": float(kept["right"].mean())}
