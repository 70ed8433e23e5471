"""Progress on a terminal and in a pipe, through real hook calls."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from multigraft.plugins.catalog import Catalog
from multigraft.recipe import Recipe
from multigraft.training.callbacks.progress import Pace, Progress


@pytest.fixture
def make_run() -> Any:
    """What is shown of a run."""

    def make(total_steps: int = 6) -> SimpleNamespace:
        recipe = {"task": "text-classification", "backbone": "bert-tiny", "data": "rows.csv"}
        return SimpleNamespace(
            folder=Path("runs/x"),
            recipe=Recipe.parse(recipe),
            objective=SimpleNamespace(monitor="accuracy"),
            total_steps=total_steps,
            history=[],
        )

    return make


def play(progress: Progress, run: Any, first: int = 1) -> None:
    """A run of two epochs of three steps."""
    hook = Catalog([progress], discover=False).manager.hook
    for step in range(first, 7):
        hook.step_end(run=run, step=step, logs={"loss": 1.0 / step, "learning_rate": 1e-3})
        if step % 3 == 0:
            run.history.append({})
            metrics = {"accuracy": step / 10, "loss": 0.7, "other": 9.0}
            hook.epoch_end(run=run, epoch=step // 3, metrics=metrics)


def test_a_pipe_gets_one_line_an_epoch(make_run: Any) -> None:
    stream = io.StringIO()
    with Progress(Console(file=stream, width=40)) as progress:
        play(progress, make_run())
    first, second = stream.getvalue().splitlines()
    assert first.startswith(
        "epoch 1  loss 0.3333  validation loss 0.7  validation accuracy 0.3  step 3/6  "
    )
    assert second.startswith(
        "epoch 2  loss 0.1667  validation loss 0.7  validation accuracy 0.6  step 6/6  "
    )
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_gets_a_bar_that_ends_full(make_run: Any) -> None:
    stream = io.StringIO()
    with Progress(
        Console(file=stream, width=120, force_terminal=True, color_system=None)
    ) as progress:
        play(progress, make_run())
    assert "6/6" in stream.getvalue()
    assert "loss 0.167" in stream.getvalue()
    assert "rate 0.001" in stream.getvalue()
    assert "\x1b[?25h" in stream.getvalue()  # the cursor is given back


def test_a_resumed_run_starts_where_it_was(make_run: Any) -> None:
    stream = io.StringIO()
    with Progress(
        Console(file=stream, width=120, force_terminal=True, color_system=None)
    ) as progress:
        play(progress, make_run(), first=5)
    assert "1/6" not in stream.getvalue()
    assert "5/6" in stream.getvalue()


def test_an_error_gives_the_cursor_back(make_run: Any) -> None:
    stream = io.StringIO()
    with (
        pytest.raises(KeyboardInterrupt),
        Progress(Console(file=stream, force_terminal=True)) as progress,
    ):
        progress.step_end(make_run(), 1, {"loss": 1.0})
        raise KeyboardInterrupt
    assert "\x1b[?25h" in stream.getvalue()


def test_a_run_without_validation_or_known_length(make_run: Any) -> None:
    stream = io.StringIO()
    run = make_run(total_steps=0)
    with Progress(Console(file=stream)) as progress:
        progress.step_end(run, 1, {})
        progress.epoch_end(run, 1, {})
    assert stream.getvalue() == "epoch 1  step 1\n"


def test_the_pace_leaves_out_the_first_step_and_the_validation() -> None:
    pace = Pace(first=10, began=100.0)
    pace.mark(10, 100.0)
    assert pace.steps_per_second() is None
    pace.mark(14, 102.0)
    assert pace.steps_per_second() == 2.0
    pace.rest(150.0)
    assert pace.steps_per_second() == 2.0
    pace.mark(16, 151.0)
    assert pace.steps_per_second() == 2.0
