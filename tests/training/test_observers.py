"""An observer that raises is switched off; the run and the other observers go on."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pluggy
import pytest

import multigraft as mg
import multigraft_series
from multigraft.engine import Engine
from multigraft.errors import PluginError
from multigraft.plugins import hookspecs
from multigraft.runs.run import Run
from multigraft.training.observers import Observers


class Fails:
    def __init__(self) -> None:
        self.calls = 0

    @mg.hookimpl
    def step_end(self, step: int) -> None:
        self.calls += 1
        raise ZeroDivisionError("no good")


class Watches:
    def __init__(self) -> None:
        self.steps: list[int] = []
        self.epochs: list[int] = []

    @mg.hookimpl
    def step_end(self, run: Run, step: int, logs: Mapping[str, float]) -> None:
        self.steps.append(step)

    @mg.hookimpl
    def epoch_end(self, epoch: int) -> None:
        self.epochs.append(epoch)


@pytest.fixture
def recipe(rows: Path, tmp_path: Path) -> dict[str, Any]:
    return {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "training": {"epochs": 2, "batch_size": 16, "learning_rate": 0.01},
        "output": str(tmp_path / "run"),
    }


class Leaves:
    @mg.hookimpl
    def epoch_end(self, epoch: int) -> None:
        sys.exit("out of here")


def test_one_that_would_end_the_process_is_switched_off(
    recipe: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    watches = Watches()
    Engine([multigraft_series, Leaves(), watches], discover=False).start(recipe, "finetune")
    assert watches.epochs == [1, 2]
    assert (
        "plugin 'Leaves' is off for this run: SystemExit: out of here in epoch_end" in caplog.text
    )


def test_the_run_goes_on_and_says_who_failed(
    recipe: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    before, fails, after = Watches(), Fails(), Watches()
    engine = Engine([multigraft_series, before, fails, after], discover=False)
    run = engine.start(recipe, "finetune")
    assert fails.calls == 1
    assert before.steps == after.steps == list(range(1, run.total_steps + 1))
    assert before.epochs == [1, 2]
    assert (
        "plugin 'Fails' is off for this run: ZeroDivisionError: no good in step_end" in caplog.text
    )
    assert "no good" in (run.folder / "plugins" / "Fails.txt").read_text()
    facts = json.loads((run.folder / "run.json").read_text())
    assert facts["observers_off"] == {"Fails": "ZeroDivisionError: no good"}
    assert run.report is not None
    assert "plugin 'Fails' raised ZeroDivisionError: no good and was off" in run.report.notes


def test_strict_raises(recipe: dict[str, Any]) -> None:
    engine = Engine([multigraft_series, Fails()], discover=False, strict=True)
    with pytest.raises(ZeroDivisionError):
        engine.start(recipe, "finetune")


def test_a_moment_cannot_be_wrapped() -> None:
    class Wraps:
        @mg.hookimpl(wrapper=True)
        def step_end(self, step: int) -> Any:
            return (yield)

    with pytest.raises(PluginError, match="step_end is a moment to watch, not a verb to wrap"):
        Engine([Wraps()], discover=False)


def test_the_order_is_pluggy_s(tmp_path: Path) -> None:
    heard: list[str] = []

    def observer(name: str, **options: bool) -> object:
        class Named:
            @mg.hookimpl(**options)
            def step_end(self) -> None:
                heard.append(name)

        return Named()

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for name, options in (
        ("a", {}),
        ("last", {"trylast": True}),
        ("first", {"tryfirst": True}),
        ("b", {}),
    ):
        manager.register(observer(name, **options), name)
    Observers(manager, tmp_path).tell("step_end", run=None, step=1, logs={})
    ours, heard[:] = list(heard), []
    manager.hook.step_end(run=None, step=1, logs={})
    assert ours == heard == ["first", "b", "a", "last"]


def test_every_hook_call_can_be_traced(recipe: dict[str, Any]) -> None:
    told: list[tuple[str, str, bool]] = []
    engine = Engine(
        [multigraft_series, Watches()],
        discover=False,
        trace=lambda hook, plugin, seconds, answered: told.append((hook, plugin, answered)),
    )
    engine.start(recipe, "finetune")
    assert ("finetune", "engine", True) in told
    assert told.count(("epoch_end", "Watches", False)) == 2
