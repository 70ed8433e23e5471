"""A linear probe ends with the minimum of its loss, where that validates better than what the steps
gave."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

import multigraft as mg
import multigraft_series
from multigraft.engine import Engine
from multigraft.models.tasks.classification import Classification
from multigraft.runs.run import Run


@pytest.fixture
def probe(rows: Path, tmp_path: Path) -> Callable[..., Run]:
    """Train a linear probe of a small network on the series."""
    numbers = iter(range(99))

    def start(
        *,
        task: Any = None,
        plugins: Any = (),
        split: Any = None,
        strategy: str = "linear-probe",
        **training: Any,
    ) -> Run:
        recipe = {
            "task": task or "series-classification",
            "backbone": "tcn-tiny",
            "data": {"train": str(rows), "split": split or {"validation": 0.2, "test": 0.2}},
            "strategy": strategy,
            "training": {"precision": "fp32", "batch_size": 16, "epochs": 1, **training},
            "output": str(tmp_path / f"run-{next(numbers)}"),
        }
        return Engine([multigraft_series, *plugins], discover=False).start(recipe, "finetune")

    return start


def solved(run: Run) -> dict[str, Any] | None:
    """The line of metrics.jsonl that tells of it."""
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    found = [line for line in lines if "solved" in line]
    return found[-1] if found else None


def read(run: Run, split: str) -> tuple[np.ndarray, np.ndarray]:
    """The features of each row, and its label."""
    rows, features, labels = run.rows[split], [], []
    names = ("values", "attention_mask")
    for index in range(len(rows)):
        row = rows[index]
        batch = {name: torch.from_numpy(row[name].copy())[None] for name in names}
        with torch.no_grad():
            features.append(run.graft.backbone(batch).pooled[0].numpy())
        labels.append(int(row["label"]))
    return np.stack(features), np.array(labels)


def test_it_is_scikit_learns_logistic_regression_of_the_same_strength(
    probe: Callable[..., Run],
) -> None:
    run = probe()
    line = solved(run)
    assert line is not None
    features, labels = read(run, "train")
    mean, scale = features.mean(0), features.std(0)
    scale = np.maximum(scale, 0.01 * scale.mean())
    # two classes of their own weights are one twice as long: half as much of the penalty
    oracle = LogisticRegression(C=2 / (line["solved"] * len(labels)), max_iter=5000, tol=1e-8)
    oracle.fit((features - mean) / scale, labels)
    held_out, _ = read(run, "validation")
    logits = run.graft.head.linear(torch.from_numpy(held_out)).detach()
    wanted = oracle.predict_proba((held_out - mean) / scale)
    assert np.abs(logits.softmax(1).numpy() - wanted).max() < 2e-3


def test_it_validates_no_worse_than_the_steps_and_is_told(probe: Callable[..., Run]) -> None:
    run = probe()
    line = solved(run)
    stepped = [entry["metrics"]["loss"] for entry in run.history[:-1]]
    assert line is not None
    assert line["validation"]["loss"] <= min(stepped)
    assert run.history[-1]["metrics"] == line["validation"]
    assert run.report is not None
    assert run.report.metrics["validation loss"].value == line["validation"]["loss"]
    assert run.facts["best"]["value"] == line["validation"]["accuracy"]


def test_replayed_and_recomputed_features_have_one_minimum(probe: Callable[..., Run]) -> None:
    replayed, recomputed = probe(epochs=3), probe(epochs=3, replay="off")
    features, _ = read(replayed, "validation")
    answers = [
        run.graft.head.linear(torch.from_numpy(features)).softmax(1)
        for run in (replayed, recomputed)
    ]
    assert torch.allclose(*answers, atol=1e-3)


@pytest.mark.parametrize(
    "asked",
    [
        {"solve": "off"},
        {"split": {"validation": 0.0, "test": 0.2}},
        {"strategy": "full"},
    ],
)
def test_elsewhere_the_steps_have_the_last_word(
    probe: Callable[..., Run], asked: dict[str, Any]
) -> None:
    assert solved(probe(**asked)) is None


def test_killed_behind_the_last_step_it_is_solved_again_to_the_same_bits(
    probe: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = probe(checkpoint_every=1)

    class Killed(BaseException):
        pass

    def kill(run: Run) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr("multigraft.verbs.save_model_folder", kill)
        probe(checkpoint_every=1)
    folder = calm.folder.with_name("run-1")
    assert json.loads((folder / "run.json").read_text())["state"] != "finished"
    again = Engine([multigraft_series], discover=False).resume(folder)
    assert solved(calm) is not None
    assert again.metrics_file.read_bytes() == calm.metrics_file.read_bytes()
    other = again.graft.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in calm.graft.state_dict().items())
    assert again.facts["best"] == calm.facts["best"]


class Twice(Classification):
    """Answers with two arrays, of which the loss reads one."""

    def head(self) -> torch.nn.Module:
        inner = super().head()
        forward = inner.forward

        def both(features: Any, batch: Any) -> Any:
            outputs = forward(features, batch)
            return {**outputs, "twice": 2 * outputs["logits"]}

        inner.forward = both  # type: ignore[method-assign]
        return inner


def test_a_head_that_computes_more_is_left_to_the_steps(probe: Callable[..., Run]) -> None:
    class Plugin:
        @mg.hookimpl
        def register_tasks(self) -> list[mg.Task]:
            (task,) = [
                each for each in multigraft_series.register_tasks() if each.stage == "finetune"
            ]
            return [replace(task, name="twice", objective=Twice)]

    assert solved(probe(task="twice", plugins=[Plugin()])) is None
