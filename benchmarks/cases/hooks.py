"""What ten observers cost a training step, in microseconds.

The engine tells an optimizer step to ten plugin objects: first to ten that do nothing, then to
eight of those, a tracker (a table of curves) and early stopping. The other column calls the same
hook through pluggy. A step of the smallest model that is worth training takes 20 ms on two cores;
20 us are 0.1% of it. A round's value is the mean of ten thousand steps (one thousand, quick), in
which the tracker finds no new line.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pluggy

import multigraft as mg
from benchmarks.harness import Case, Mode, Sample, below
from multigraft.callbacks import CSV, EarlyStopping
from multigraft.plugins import hookspecs
from multigraft.training.observers import Observers

ROUNDS = {"full": 10, "quick": 5, "smoke": 1}
STEPS = {"full": 10_000, "quick": 1_000, "smoke": 10}
OBSERVERS = 10


class Watches:
    """An observer that takes all there is, and does nothing."""

    @mg.hookimpl
    def step_end(self, run: Any, step: int, logs: Mapping[str, float]) -> None:
        """Nothing."""


def cases(mode: Mode, desk: Path) -> list[Case]:
    """Ten idle observers, and ten with work to do."""
    idle = [Watches() for _ in range(OBSERVERS)]
    busy = [*idle[: OBSERVERS - 2], CSV(), EarlyStopping(3)]
    return [
        _case("hooks_idle", "ten observers of a step that do nothing", idle, mode, desk),
        _case("hooks_tracker", "eight of them, a tracker and early stopping", busy, mode, desk),
    ]


def _case(name: str, work: str, plugins: Sequence[object], mode: Mode, desk: Path) -> Case:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for number, plugin in enumerate(plugins):
        manager.register(plugin, f"observer-{number}")
    observers = Observers(manager, desk)
    run = _run(desk)
    return Case(
        name=name,
        work=work,
        other="pluggy's own call",
        unit="us",
        ours=lambda turn: _timed(
            lambda **facts: observers.tell("step_end", **facts), run, STEPS[mode]
        ),
        theirs=lambda turn: _timed(manager.hook.step_end, run, STEPS[mode]),
        rounds=ROUNDS[mode],
        bar=below(20, "us"),
        settings={"observers": len(plugins), "steps": STEPS[mode]},
    )


def _run(folder: Path) -> Any:
    """What observers look at in a run."""
    metrics = folder / "metrics.jsonl"
    metrics.write_text('{"step": 1, "loss": 0.5, "learning_rate": 0.001}\n', encoding="utf-8")
    return SimpleNamespace(folder=folder, metrics_file=metrics, world=SimpleNamespace(leads=True))


def _timed(tell: Callable[..., Any], run: Any, steps: int) -> Sample:
    logs = {"loss": 0.5, "learning_rate": 1e-3}
    tell(run=run, step=0, logs=logs)
    started = time.perf_counter()
    for step in range(steps):
        tell(run=run, step=step, logs=logs)
    return Sample(1e6 * (time.perf_counter() - started) / steps)
