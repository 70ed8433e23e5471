"""Two works in one process: a second training is refused, others change no bit of the first."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import multigraft as mg
import multigraft_series
from multigraft import engine
from multigraft.engine import Engine
from multigraft.errors import RunError
from multigraft.runs.run import Run
from multigraft.system import process_lock

Do = Callable[[Run], Any]


class AtStep:
    """Does something once, at the second step."""

    def __init__(self, do: Do) -> None:
        self.do = do
        self.raised: Exception | None = None
        self.done = False

    @mg.hookimpl
    def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
        if step != 2:
            return
        try:
            self.do(run)
            self.done = True
        except Exception as error:
            self.raised = error


def recipe(rows: Path, output: Path, **fields: Any) -> dict[str, Any]:
    training = {"epochs": 2, "batch_size": 16, "learning_rate": 0.01}
    return {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "training": training,
        "output": str(output),
        **fields,
    }


def trained(
    given: Mapping[str, Any], *plugins: object, stage: mg.records.Stage = "finetune"
) -> Run:
    return Engine([multigraft_series, *plugins], discover=False).start(given, stage)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {
        f"{path.name} {name}": tensor
        for path in sorted((run.folder / "model").glob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


def same(first: Run, second: Run) -> bool:
    ones, others = weights(first), weights(second)
    return ones.keys() == others.keys() and all(ones[name].equal(others[name]) for name in ones)


def in_thread(work: Callable[[], Any]) -> list[BaseException]:
    """What the work raised in a thread of its own."""
    raised: list[BaseException] = []

    def do() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=do)
    thread.start()
    thread.join()
    return raised


@pytest.fixture
def calm(rows: Path, tmp_path: Path) -> Run:
    return trained(recipe(rows, tmp_path / "calm"))


@pytest.mark.parametrize("stage", ["finetune", "pretrain"])
def test_a_second_training_in_another_thread_is_refused_and_changes_nothing(
    stage: mg.records.Stage, calm: Run, rows: Path, tmp_path: Path
) -> None:
    task = {"pretrain": "series-denoising", "finetune": "series-classification"}[stage]
    second = recipe(rows, tmp_path / "second", task=task)
    told: list[BaseException] = []
    beside = AtStep(lambda _: told.extend(in_thread(lambda: trained(second, stage=stage))))
    first = trained(recipe(rows, tmp_path / "first"), beside)
    assert len(told) == 1
    assert isinstance(told[0], RunError)
    assert str(tmp_path / "first") in str(told[0])
    assert "in a process of its own" in str(told[0])
    assert not (tmp_path / "second").exists()
    assert same(calm, first)
    assert same(calm, trained(recipe(rows, tmp_path / "second")))  # afterwards it is let in


def test_a_training_within_a_callback_is_refused_and_changes_nothing(
    calm: Run, rows: Path, tmp_path: Path
) -> None:
    nested = AtStep(lambda _: trained(recipe(rows, tmp_path / "second")))
    first = trained(recipe(rows, tmp_path / "first"), nested)
    assert isinstance(nested.raised, RunError)
    assert "this same thread" in str(nested.raised)
    assert same(calm, first)


def opened(run: Run, folder: Path) -> Run:
    return Engine([multigraft_series], discover=False).open(folder)


BESIDE: dict[str, Callable[[Path], Do]] = {
    "open": lambda calm: lambda run: opened(run, calm),
    "evaluate another": lambda calm: lambda run: opened(run, calm).evaluate(),
    "export another": lambda calm: lambda run: opened(run, calm).export(),
    "evaluate itself": lambda calm: lambda run: run.evaluate(),
}


@pytest.mark.parametrize("name", BESIDE)
def test_what_a_callback_may_do_changes_no_bit(
    name: str, calm: Run, rows: Path, tmp_path: Path
) -> None:
    nested = AtStep(BESIDE[name](calm.folder))
    first = trained(recipe(rows, tmp_path / "first"), nested)
    assert nested.raised is None
    assert nested.done
    assert same(calm, first)
    assert (calm.folder / "metrics.jsonl").read_bytes() == (
        first.folder / "metrics.jsonl"
    ).read_bytes()


@pytest.mark.parametrize("name", ["open", "evaluate another", "export another"])
def test_what_another_thread_would_disturb_is_refused(
    name: str, calm: Run, rows: Path, tmp_path: Path
) -> None:
    told: list[BaseException] = []
    beside = AtStep(lambda run: told.extend(in_thread(lambda: BESIDE[name](calm.folder)(run))))
    first = trained(recipe(rows, tmp_path / "first"), beside)
    assert len(told) == 1
    assert "whose random numbers it would change" in str(told[0])
    assert same(calm, first)


def test_others_go_on_beside_each_other_and_keep_a_training_out() -> None:
    with process_lock.beside("opening a"):
        assert not in_thread(lambda: process_lock.beside("opening b").__enter__())
        assert "opening a" in str(
            in_thread(lambda: process_lock.training("training c").__enter__())[0]
        )


def test_an_engine_that_is_made_within_a_training_leaves_its_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    monkeypatch.setattr(engine, "use_allowed_cores", lambda: asked.append(True))
    with process_lock.training("training a"):
        Engine([multigraft_series], discover=False)
    assert not asked
    Engine([multigraft_series], discover=False)
    assert asked


def test_a_forked_process_is_another() -> None:
    with process_lock.training("training a"):
        child = os.fork()
        if not child:
            with process_lock.training("training b"):
                os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
