"""Batches drawn at random are computed in parts of like length, and learn what the whole does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import multigraft as mg
import multigraft_text as text
from helpers.asked_passages import write_lines
from helpers.seq2seq_runs import made_texts, rows_of
from helpers.tagged_texts import sentences
from multigraft.models.tasks.classification import Classification
from multigraft.training import batch_stream
from multigraft.training.loop import Fit
from multigraft_text.seq2seq.teaching import TextToText

TAGGED = [
    {"words": words * (1 + number % 2), "tags": tags * (1 + number % 2)}
    for number, (words, tags) in enumerate(sentences(48))
]
SORTED = [
    {"text": said, "label": "abc"[len(said.split()) % 3 if number % 4 else 0]}
    for number, said in enumerate(made_texts(48, seed=1))
]
TASKS: dict[str, tuple[Any, list[dict[str, Any]], dict[str, Any]]] = {
    "tags": ("bert-tiny", TAGGED, {"name": "token-classification", "dropout": 0.0}),
    "classes": (
        "bert-tiny",
        SORTED,
        {"name": "text-classification", "dropout": 0.0, "class_weights": "balanced"},
    ),
    "texts": ("t5-tiny", rows_of(made_texts(48, seed=0)), {"name": "text-to-text"}),
}


class Breaks(BaseException):
    """Not an Exception: an observer that raises one is only switched off."""


class BreakAt:
    def __init__(self, step: int) -> None:
        self.step = step

    @mg.hookimpl
    def step_end(self, run: mg.Run, step: int) -> None:
        if step == self.step:
            raise Breaks


class Stop:
    @mg.hookimpl
    def finetune(self, run: mg.Run) -> mg.Report:
        return mg.Report(verb="finetune", title="not trained")


@pytest.fixture(autouse=True)
def small_parts_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass of the toys costs more than a batch of them has positions."""
    monkeypatch.setattr(batch_stream, "pass_cost", lambda network: 3.0)
    for objective in (Classification, TextToText):
        monkeypatch.setattr(objective, "random_batches", True)


def started(folder: Path, task: str, *plugins: object, **training: Any) -> mg.Run:
    backbone, rows, options = TASKS[task]
    recipe = {
        "task": options,
        "backbone": {"name": backbone, "weights": "scratch", "dropout": 0.0},
        "data": {
            "train": str(write_lines(folder / "rows.jsonl", rows)),
            "split": {"validation": 0, "test": 0},
            "leakage": {"near": False, "allowed": 1},
        },
        "reader": {"tokenizer": "character", "max_length": 128},
        "training": {
            "epochs": 2,
            "batch_size": 16,
            "learning_rate": 0.003,
            "precision": "fp32",
            "compile": "off",
            **training,
        },
        "output": str(folder / "run"),
    }
    return mg.Engine([text, *plugins], discover=False).start(recipe, "finetune")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("accumulation", [1, 2])
def test_parts_have_the_loss_and_gradient_of_the_padded_batch(
    tmp_path: Path, task: str, accumulation: int
) -> None:
    fit = Fit(started(tmp_path, task, Stop(), accumulation=accumulation))
    found = []
    for whole in (False, True):
        fit.schedule.whole = whole
        step = next(fit.stream.steps(1))
        fit.run.graft.train()
        outcome = fit.gradient.compute(step, 1)
        gradients = [p.grad.clone() for p in fit.gradient.parameters if p.grad is not None]
        found.append((step, outcome, gradients))
    (parts, one, ours), (padded, other, theirs) = found
    assert len(padded) <= accumulation < len(parts)
    assert len({len(rows) for rows, _ in parts}) > 1 or len(parts) > 2
    assert sorted(row for rows, _ in parts for row in rows.tolist()) == sorted(
        row for rows, _ in padded for row in rows.tolist()
    )
    assert _positions(parts) < 0.9 * _positions(padded)
    assert one.loss == pytest.approx(other.loss, rel=1e-5)
    assert one.norm == pytest.approx(other.norm, rel=1e-4)
    assert one.factor == pytest.approx(other.factor, rel=1e-4)
    assert len(ours) == len(theirs)
    for mine, its in zip(ours, theirs, strict=True):
        assert torch.allclose(mine, its, atol=1e-4 * float(its.abs().max()) + 1e-6)


def _positions(step: Any) -> int:
    return sum(batch["input_ids"].numel() for _, batch in step)


@pytest.mark.parametrize("at", [2, 5])
def test_broken_off_within_an_epoch_it_ends_with_the_same_bits(tmp_path: Path, at: int) -> None:
    calm, broken = tmp_path / "calm", tmp_path / "broken"
    for folder in (calm, broken):
        folder.mkdir()
    asked = {"checkpoint_every": 2, "log_every": 1}
    whole = started(calm, "tags", **asked)
    with pytest.raises(Breaks):
        started(broken, "tags", BreakAt(at), **asked)
    again = mg.Engine([text], discover=False).resume(broken / "run")
    weights = again.graft.state_dict()
    assert all(
        torch.equal(value, weights[name]) for name, value in whole.graft.state_dict().items()
    )
    assert whole.metrics_file.read_text() == again.metrics_file.read_text()


def test_where_results_are_replayed_batches_stay_whole(tmp_path: Path) -> None:
    fit = Fit(started(tmp_path, "tags", Stop()))
    fit.stream.begin(None, whole=True)
    assert [len(rows) for rows, _ in next(fit.stream.steps(0))] == [16]
    fit.stream.begin(None)
    assert len(next(fit.stream.steps(0))) > 1
    assert fit.schedule.padding(0) < 0.2


def test_batches_by_length_are_never_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Classification, "random_batches", False)
    fit = Fit(started(tmp_path, "classes", Stop()))
    assert [len(step) for step in fit.stream.steps(0)] == [1, 1, 1]
