"""Numbers that go wrong: left out, gone back from, or given up, and always said."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from multigraft.errors import RunError
from multigraft.runs.run import Run
from multigraft.training import divergence
from multigraft.training.checkpoint import Progress
from multigraft.training.step import Gradient, Outcome

Finetune = Callable[..., Run]


def training(**fields: Any) -> dict[str, Any]:
    return {
        "training": {
            "epochs": 4, "batch_size": 16, "learning_rate": 0.01, "checkpoint_every": 2,
            "log_every": 1,
            **fields,
        }
    }  # fmt: skip


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], None]:
    """Make the loss of the n-th computed step (from 1) NaN."""

    def spoil(calls: set[int]) -> None:
        count = 0
        compute = Gradient.compute

        def spoiled(self: Gradient, batches: Any, pieces: int) -> Outcome:
            nonlocal count
            count += 1
            outcome = compute(self, batches, pieces)
            return replace(outcome, loss=math.nan) if count in calls else outcome

        monkeypatch.setattr(Gradient, "compute", spoiled)

    return spoil


def test_one_bad_step_is_left_out_and_counted(
    finetune: Finetune, poison: Callable[[set[int]], None], caplog: pytest.LogCaptureFixture
) -> None:
    poison({3})
    run = finetune(**training())
    assert "step 3 is left out: its loss (nan) or gradient is not finite" in caplog.text
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [
        1,
        2,
        *range(4, run.total_steps + 1),
    ]
    assert {line.get("skipped", 0) for line in lines if "loss" in line and line["step"] > 3} == {1}
    assert run.report is not None
    assert any("1 steps were left out" in note for note in run.report.notes)


def test_several_in_a_row_go_back_and_on_at_half_the_rate(
    finetune: Finetune, poison: Callable[[set[int]], None], caplog: pytest.LogCaptureFixture
) -> None:
    poison({7, 8, 9})
    run = finetune(**training(bad_steps=3, schedule="constant", warmup=0.0))
    assert "3 such steps in a row: back to step 8, at half the rate" in caplog.text
    lines = [json.loads(line) for line in run.metrics_file.read_text().splitlines()]
    rates = {line["step"]: line["learning_rate"] for line in lines if "loss" in line}
    assert rates[1] == 0.01
    assert rates[run.total_steps] == 0.005
    assert sorted(rates) == list(dict.fromkeys(sorted(rates)))


def test_it_gives_up_after_three_times(
    finetune: Finetune, poison: Callable[[set[int]], None]
) -> None:
    poison(set(range(7, 1000)))
    with pytest.raises(
        RunError, match=r"the loss is nan at step \d+; lower training.learning_rate"
    ):
        finetune(**training(bad_steps=2))


def test_an_infinite_gradient_counts_as_bad() -> None:
    assert not Outcome(1.0, math.inf, 1.0, 1).finite
    assert not Outcome(math.nan, 1.0, 1.0, 1).finite
    assert Outcome(1.0, 1.0, 1.0, 1).finite


def test_a_diverging_run_stops_with_a_reason_and_keeps_its_best(finetune: Finetune) -> None:
    run = finetune(
        **training(
            epochs=40, learning_rate=2.0, clip=0, optimizer="sgd", momentum=0.95,
            schedule="constant",
            warmup=0.2, bad_steps=1000,
        )
    )  # fmt: skip
    assert run.stop is not None
    assert run.stop.startswith("the loss diverges: ")
    assert all(torch.isfinite(value).all() for value in run.graft.state_dict().values())


def test_the_running_loss_is_a_mean_and_then_forgets() -> None:
    progress = Progress()
    for loss in (1.0, 2.0, 3.0):
        divergence.passed(progress, loss)
    assert progress.recent_loss == pytest.approx(2.0)
    assert progress.first_loss == pytest.approx(2.0)
    for _ in range(400):
        divergence.passed(progress, 10.0)
    assert progress.recent_loss == pytest.approx(10.0, rel=1e-2)
    assert divergence.diverged(progress, 3.0) is None  # the first ten steps' mean is 7.6
    assert divergence.diverged(progress, 1.2) is not None
    assert divergence.diverged(progress, 0.0) is None


def test_the_checkpoint_remembers_the_lower_rate(
    finetune: Finetune, poison: Callable[[set[int]], None]
) -> None:
    poison({5, 6})
    run = finetune(**training(bad_steps=2))
    state = sorted((run.folder / "checkpoints").glob("step-*"))[-1] / "state.json"
    told = json.loads(state.read_text())
    assert (told["rollbacks"], told["rate_scale"], told["skipped"]) == (1, 0.5, 2)
