"""A run says so where it does no better than an answer that does not look at its input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from multigraft.contracts.report import Baseline
from multigraft.engine import Engine
from multigraft.evaluation.baselines import baseline_notes
from multigraft.runs.record import check_facts
from multigraft.runs.run import Run
from multigraft.training.probe import Probe

Finetune = Callable[..., Run]
SAYS = "no better than always answering"


@pytest.fixture
def chance(rows: Path) -> None:
    """Labels that follow from nothing, three of four the same."""
    head, *lines = rows.read_text().splitlines()
    series = [line.rpartition(",")[0] for line in lines]
    labels = ["rare" if index % 4 == 0 else "often" for index in range(len(series))]
    np.random.default_rng(0).shuffle(labels)
    rows.write_text("\n".join([head, *map(",".join, zip(series, labels, strict=True))]) + "\n")


def said(notes: Any) -> list[str]:
    return [note for note in notes if SAYS in note]


@pytest.mark.usefixtures("chance")
def test_a_model_that_answers_the_majority_is_told_in_report_and_log(
    finetune: Finetune, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("WARNING", logger="multigraft"):
        run = finetune(training={"epochs": 1, "learning_rate": 1e-6})
        trained, evaluated = run.report, run.evaluate()
    assert trained is not None
    for given, where in ((trained, "validation"), (evaluated, "test")):
        (note,) = said(given.notes)
        assert note.startswith(f"accuracy on the {where} rows is 0.")
        assert "'often', their most frequent label (0." in note
    assert len(said(caplog.messages)) == 2


def test_a_model_that_learns_is_not(finetune: Finetune, caplog: pytest.LogCaptureFixture) -> None:
    run = finetune(training={"epochs": 12, "batch_size": 16, "learning_rate": 0.02})
    assert run.report is not None
    assert not said([*run.report.notes, *run.evaluate().notes, *caplog.messages])


@pytest.mark.usefixtures("chance")
def test_a_probe_of_pretrained_features_is_told_too(
    engine: Engine, rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = {
        "task": "series-denoising",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "training": {"epochs": 1},
        "output": str(tmp_path / "pretrained"),
    }
    run = engine.start(recipe, "pretrain")
    labels = run.rows["test"].column("label")
    share = max(labels.count(label) for label in labels) / len(labels)
    for right, told in ((share, True), (share + 0.01, False)):
        answers = np.full(len(labels), right)
        monkeypatch.setattr(
            "multigraft.verbs.probe", lambda *_, given=answers, **__: Probe(given, given)
        )
        assert bool(said(run.evaluate().notes)) == told


def test_more_is_better_or_less_is() -> None:
    floor = Baseline("error", 2.0, "always answering the mean")
    assert not baseline_notes({"error": 1.9}, floor, rows="test", greater=False)
    assert baseline_notes({"error": 2.0}, floor, rows="test", greater=False)
    assert baseline_notes({"error": 2.0}, floor, rows="test", greater=True)
    assert not baseline_notes({"error": 2.1}, floor, rows="test", greater=True)
    assert not baseline_notes({"loss": 1.0}, floor, rows="test", greater=False)
    assert not baseline_notes({"error": 3.0}, None, rows="test", greater=False)


def test_the_record_keeps_it_for_a_resumed_run_and_is_checked(finetune: Finetune) -> None:
    facts = json.loads((finetune().folder / "run.json").read_text())
    assert facts["baseline"]["metric"] == "accuracy"
    assert not check_facts(facts)
    assert check_facts(
        {**facts, "baseline": {"metric": "accuracy", "value": "high", "answer": "x"}}
    )
