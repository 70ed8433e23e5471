"""Asked to stop, a training saves and leaves; resumed, it ends with the same bits."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

import multigraft as mg
import multigraft_series
from multigraft.engine import Engine
from multigraft.runs.record import read_record
from multigraft.runs.run import Run
from multigraft.system.signals import Interrupted, Stopping
from multigraft.training import weight_averaging
from multigraft.training.validation import validate


class Ask:
    """Sends this process a signal at the end of a step."""

    def __init__(self, step: int, number: int) -> None:
        self.step = step
        self.number = number

    @mg.hookimpl
    def step_end(self, run: Run, step: int) -> None:
        if step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.fixture
def recipe(rows: Any) -> dict[str, Any]:
    return {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "training": {
            "epochs": 3, "batch_size": 16, "learning_rate": 0.01, "log_every": 1, "ema": 0.9,
            "accumulation": 2,
        },
    }  # fmt: skip


def engine(*plugins: object) -> Engine:
    return Engine([multigraft_series, *plugins], discover=False)


def same_end(first: Run, second: Run) -> None:
    other = second.graft.state_dict()
    assert all(torch.equal(value, other[name]) for name, value in first.graft.state_dict().items())
    assert first.metrics_file.read_bytes() == second.metrics_file.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("step", [1, 2, 4])
def test_interrupted_it_saves_and_goes_on(
    recipe: dict[str, Any], tmp_path: Path, number: int, step: int, caplog: pytest.LogCaptureFixture
) -> None:
    calm = engine().start({**recipe, "output": str(tmp_path / "calm")}, "finetune")
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as caught:
        engine(Ask(step, number)).start({**recipe, "output": str(tmp_path / "asked")}, "finetune")
    assert caught.value.number == number
    assert signal.getsignal(number) is before
    assert f"{signal.Signals(number).name}: saving" in caplog.text
    assert read_record(tmp_path / "asked")["state"] == "interrupted"
    assert (tmp_path / "asked" / "checkpoints" / f"step-{step:08d}").exists()
    same_end(calm, engine().resume(tmp_path / "asked"))


@pytest.mark.parametrize("strategy", ["full", "linear-probe", "gradual-unfreezing"])
def test_interrupted_in_the_midst_of_a_validation(
    recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    """The validation is not waited for; it is made up for, as it would have been, when the run goes
    on."""
    recipe = {**recipe, "strategy": strategy}
    calm = engine().start({**recipe, "output": str(tmp_path / "calm")}, "finetune")

    def asked(*_: Any) -> dict[str, float]:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was to end this at once")

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr("multigraft.training.loop.validate", asked)
        engine().start({**recipe, "output": str(tmp_path / "asked")}, "finetune")
    same_end(calm, engine().resume(tmp_path / "asked"))


@pytest.mark.parametrize("which", [1, 3])
def test_what_a_validation_that_is_made_up_for_found_best_is_on_the_disk(
    recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: int
) -> None:
    """After the last one no step follows whose checkpoint could take it along."""
    recipe = {**recipe, "training": {**recipe["training"], "checkpoint_every": 100}}
    calm = engine().start({**recipe, "output": str(tmp_path / "calm")}, "finetune")
    calls = count(1)

    def asked(*given: Any) -> dict[str, float]:
        if next(calls) == which:
            os.kill(os.getpid(), signal.SIGTERM)
        return validate(*given)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr("multigraft.training.loop.validate", asked)
        engine().start({**recipe, "output": str(tmp_path / "asked")}, "finetune")
    resumed = engine().resume(tmp_path / "asked")
    same_end(calm, resumed)
    kept = [
        sorted(path.name for path in (run.folder / "checkpoints").iterdir())
        for run in (calm, resumed)
    ]
    assert kept[0] == kept[1]


class Crashed(BaseException):
    """Not an Exception: an observer that raises one is only switched off."""


class Crash:
    """Ends a training with an error of its own at the end of an epoch."""

    @mg.hookimpl
    def epoch_end(self, run: Run, epoch: int) -> None:
        raise Crashed


def test_a_validation_made_up_for_and_then_lost_leaves_no_second_line(
    recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before the validation, killed after it: its line is older than the checkpoint
    remembers."""
    calm = engine().start({**recipe, "output": str(tmp_path / "calm")}, "finetune")
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(
            "multigraft.training.loop.validate", lambda *_: os.kill(os.getpid(), signal.SIGTERM)
        )
        engine().start({**recipe, "output": str(tmp_path / "asked")}, "finetune")
    with pytest.raises(Crashed):
        engine(Crash()).resume(tmp_path / "asked")
    same_end(calm, engine().resume(tmp_path / "asked"))


@pytest.mark.parametrize("call", [0, 1])
@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupted_while_the_mean_takes_its_turn(
    recipe: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, when: str
) -> None:
    """The weights that are saved are the model's own, wherever in the exchange the signal comes."""
    calm = engine().start({**recipe, "output": str(tmp_path / "calm")}, "finetune")
    put_back, calls = weight_averaging.put_back, count()

    def asked(into: Any, values: Any) -> None:
        ask = next(calls) == call
        if ask and when == "before":
            os.kill(os.getpid(), signal.SIGTERM)
        put_back(into, values)
        if ask:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(weight_averaging, "put_back", asked)
        engine().start({**recipe, "output": str(tmp_path / "asked")}, "finetune")
    same_end(calm, engine().resume(tmp_path / "asked"))


def test_asked_twice_it_leaves_at_once() -> None:
    stopping = Stopping()
    with pytest.raises(KeyboardInterrupt) as caught, stopping.heeding(), stopping.held():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("not reached")
    assert type(caught.value) is KeyboardInterrupt


def test_a_held_block_ends_first() -> None:
    stopping, done = Stopping(), []
    with pytest.raises(Interrupted), stopping.heeding(), stopping.held():
        os.kill(os.getpid(), signal.SIGTERM)
        with stopping.held():
            pass
        done.append("all")
    assert done == ["all"]


def test_one_of_several_leaves_only_when_all_agreed() -> None:
    stopping = Stopping(alone=False)
    with stopping.heeding():
        with stopping.held():
            os.kill(os.getpid(), signal.SIGTERM)
        assert stopping.heard == signal.SIGTERM
        with pytest.raises(Interrupted), stopping.held():
            stopping.agree(signal.SIGTERM)


def test_outside_the_main_thread_nothing_is_touched() -> None:
    from threading import Thread

    heard: list[Callable[..., Any] | int | None] = []

    def work() -> None:
        with Stopping().heeding():
            heard.append(signal.getsignal(signal.SIGTERM))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    assert heard == [signal.getsignal(signal.SIGTERM)]
