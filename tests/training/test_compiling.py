"""Compiling is tried where it may pay, and kept where it was measured to."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from multigraft.runs.run import Run
from multigraft.training import compiling, forward
from multigraft.training.compiling import is_faster, worth_trying


def test_only_long_runs_try() -> None:
    assert worth_trying(0.5, 10_000)
    assert not worth_trying(0.5, 100)


def sleeper(seconds: float) -> Callable[[], None]:
    return lambda: time.sleep(seconds)


def test_the_faster_one_wins(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="multigraft"):
        assert is_faster(sleeper(0.03), sleeper(0.005))
        assert not is_faster(sleeper(0.005), sleeper(0.03))
    assert [line.split(":")[0] for line in caplog.messages] == [
        "torch.compile is on",
        "torch.compile is off",
    ]


def test_a_compiler_that_fails_is_off_with_a_line(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> None:
        raise RuntimeError("no C++ compiler\nand a long story")

    with caplog.at_level("INFO", logger="multigraft"):
        assert not is_faster(sleeper(0), broken)
    assert caplog.messages == ["torch.compile is off: no C++ compiler"]


class Slowed(nn.Module):
    """What a compiler gives, without one: the same results."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = [model]
        self.calls = 0

    def forward(self, batch: Any) -> Any:
        self.calls += 1
        return self.model[0](batch)


@pytest.mark.parametrize("faster", [True, False])
def test_auto_decides_once_and_says_so_in_the_run(
    finetune: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, faster: bool
) -> None:
    made: list[Slowed] = []

    def compile_(model: nn.Module, *, varied: bool) -> nn.Module:
        assert varied
        made.append(Slowed(model))
        return made[-1]

    def decide(plain: Callable[[], None], other: Callable[[], None]) -> bool:
        plain()
        other()
        return faster

    monkeypatch.setattr(compiling, "WORTH", 0.0)
    monkeypatch.setattr(forward, "compiled", compile_)
    monkeypatch.setattr(forward, "is_faster", decide)
    run = finetune(training={"epochs": 3, "batch_size": 8, "learning_rate": 0.01})
    assert run.facts["compiled"] is faster
    (model,) = made
    assert model.calls == (1 + run.total_steps - compiling.TRIAL_STEP if faster else 1)


def test_trying_leaves_no_trace(
    finetune: Callable[..., Run], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = []
    for worth in (1e9, 0.0):
        monkeypatch.setattr(compiling, "WORTH", worth)
        monkeypatch.setattr(forward, "compiled", lambda model, **_: Slowed(model))
        monkeypatch.setattr(forward, "is_faster", lambda plain, other: [plain(), other()] == [])
        run = finetune(
            training={"epochs": 3, "batch_size": 8, "learning_rate": 0.01},
            output=str(tmp_path / f"{worth}"),
            seed=1,
        )
        lines.append(run.metrics_file.read_text())
    assert lines[0] == lines[1]


def test_off_never_compiles(finetune: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling, "WORTH", 0.0)
    monkeypatch.setattr(forward, "compiled", lambda model, *, varied: pytest.fail("compiled"))
    finetune(training={"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "compile": "off"})
