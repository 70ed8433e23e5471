"""Cells on shared storage: whatever machine is lost, another goes on, and the figures stay."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fsspec.core import url_to_fs

import multigraft as mg
import multigraft_series
from multigraft.errors import RecipeError, RunError
from multigraft.experiments.progress import Update
from multigraft.experiments.storage import Storage

Start = Callable[..., mg.Experiment]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/far"


@pytest.fixture
def start(grid: Any, url: str) -> Start:
    """Compute the grid with its cells on storage; keyword arguments change its fields."""
    training = {**grid["recipe"]["training"], "epochs": 2, "checkpoint_every": 1}
    recipe = {**grid["recipe"], "training": training}

    def begin(
        *plugins: object,
        storage: str | None = url,
        retry: bool = False,
        tell: Any = None,
        **fields: Any,
    ) -> mg.Experiment:
        changed = {**grid, "recipe": recipe, **fields}
        return mg.experiment(
            changed,
            storage=storage,
            plugins=[multigraft_series, *plugins],
            retry=retry,
            tell=tell,
        )

    return begin


def timeless(made: mg.Experiment) -> list[dict[str, Any]]:
    return [{**row, "seconds": None} for row in made.rows()]


class Counts:
    """Counts steps, and ends the program at one of them; or the machine, which saves nothing."""

    def __init__(self, last: int = 0, how: type[BaseException] = KeyboardInterrupt) -> None:
        self.steps: list[int] = []
        self._last, self._how = last, how

    @mg.hookimpl
    def step_end(self, run: mg.Run, step: int, logs: Any) -> None:
        self.steps.append(step)
        if len(self.steps) == self._last:
            raise self._how


def test_the_figures_are_those_without_storage(start: Start, tmp_path: Path) -> None:
    near = start(storage=None, output=str(tmp_path / "near"))
    far = start()
    assert timeless(far) == timeless(near) and not far.problems
    key = far.cells[0].key
    run = mg.open_run(far.folder / "cells" / key, plugins=[multigraft_series])
    assert run.evaluate().metrics["accuracy"].value >= 0, "its weights came along"
    assert (far.folder / "logs" / f"{key}.log").exists()
    assert not (far.folder / ".fetched").exists()


def test_a_machine_that_is_asked_to_stop_and_thrown_away_is_gone_on_with(
    start: Start, tmp_path: Path
) -> None:
    whole = start(storage=None, output=str(tmp_path / "near"))
    all_steps = Counts()
    start(all_steps, storage=None, output=str(tmp_path / "counted"))
    with pytest.raises(KeyboardInterrupt):
        start(Counts(last=4))
    shutil.rmtree(tmp_path / "made")
    left = Counts()
    assert timeless(start(left)) == timeless(whole)
    assert len(left.steps) <= len(all_steps.steps) - 3


def test_a_machine_that_is_lost_is_gone_on_with_from_what_was_stored(
    start: Start, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(storage=None, output=str(tmp_path / "near"))
    all_steps = Counts()
    start(all_steps, storage=None, output=str(tmp_path / "counted"))
    push, pushed = Storage.push, []

    def cut(self: Storage, folder: Path, name: str) -> None:
        if len(pushed) == 4:
            raise KeyboardInterrupt  # of the machine nothing is stored any more
        pushed.append(name)
        push(self, folder, name)

    monkeypatch.setattr(Storage, "push", cut)
    with pytest.raises(KeyboardInterrupt):
        start()
    monkeypatch.setattr(Storage, "push", push)
    shutil.rmtree(tmp_path / "made")
    left = Counts()
    assert timeless(start(left)) == timeless(whole)
    assert 0 < len(left.steps) <= len(all_steps.steps) - 3, "checkpoints were used"


def test_cells_that_ended_are_fetched_by_a_new_driver(start: Start, tmp_path: Path) -> None:
    first = start()
    before = timeless(first)
    shutil.rmtree(first.folder)
    told: list[Update] = []
    assert timeless(start(tell=told.append)) == before
    assert not told, "nothing was computed"


def test_other_rows_are_other_cells(start: Start, grid: Any, tmp_path: Path) -> None:
    first = start()
    shutil.rmtree(first.folder)
    path = Path(grid["domains"]["a"]["test"])
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-10]))
    told: list[Update] = []
    again = start(tell=told.append)
    assert len(told) == 2, "both cells are tested on a"
    assert {row["n"] for row in again.rows() if row["domain"] == "a"} == {30}


def test_scores_alone_are_kept(start: Start, url: str) -> None:
    made = start(keep="scores", vary={"data": ["a"]})
    (cell,) = made.cells
    assert made.rows() and not (made.folder / "cells" / cell.key / "checkpoints").exists()
    system, root = url_to_fs(url)
    assert sum(path.endswith(".json") for path in system.find(root)) == 2, "two states of the cell"


def test_a_cell_that_failed_is_told_and_taken_up_again_when_asked(start: Start, grid: Any) -> None:
    training = {**grid["recipe"]["training"], "bad_steps": 1, "learning_rate": 1e38}
    fields = {"vary": {"data": ["a"]}, "recipe": {**grid["recipe"], "training": training}}
    told: list[Update] = []
    made = start(tell=told.append, **fields)
    ((key, (reason,)),) = made.problems.items()
    assert reason.startswith("the loss is nan at step")
    shutil.rmtree(made.folder)
    assert start(tell=told.append, **fields).problems == {key: [reason]} and len(told) == 1
    start(tell=told.append, retry=True, **fields)
    assert len(told) == 2


def test_storage_that_fails_in_the_middle_costs_no_figure(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(storage=None, output=str(tmp_path / "near"))
    push, asked = Storage.push, []

    def flaky(self: Storage, folder: Path, name: str) -> None:
        asked.append(name)
        if len(asked) < 3:
            raise RunError("the line is down")
        push(self, folder, name)

    monkeypatch.setattr(Storage, "push", flaky)
    made = start()
    said = (made.folder / "logs" / f"{made.cells[0].key}.log").read_text()
    assert said.count("the line is down; the next checkpoint is stored again") == 2
    assert timeless(made) == timeless(whole) and not made.problems


def test_storage_that_cannot_be_read_is_told_before_anything_runs(
    start: Start, tmp_path: Path
) -> None:
    (tmp_path / "plain").write_text("no folder")
    with pytest.raises(RunError, match="plain/far: cannot be read"):
        start(storage=f"file://{tmp_path}/plain/far")


def test_storage_that_takes_nothing_is_told_by_cell(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Storage, folder: Path, name: str) -> None:
        raise RunError("the bucket is full")

    with monkeypatch.context() as patch:
        patch.setattr(Storage, "push", full)
        made = start()
    assert made.problems == {cell.key: ["the bucket is full"] for cell in made.cells}
    again = start()
    assert not again.problems and {row["state"] for row in again.rows()} == {"finished"}


def test_what_storage_cannot_be_is_told(start: Start, grid: Any) -> None:
    with pytest.raises(RecipeError, match="storage: found 'far'; it should be a URL"):
        start(storage="far")
    texts = {**grid, "recipe": {"task": "text-classification", "backbone": "bert-tiny"}}
    with pytest.raises(RecipeError, match="memory://x is in this process alone"):
        mg.experiment({**texts, "workers": 2}, storage="memory://x")
    with pytest.raises(RecipeError, match=r"search\.storage: is missing"):
        search = {"space": {"training.learning_rate": [0.1, 0.01]}, "trials": 2}
        mg.experiment({**texts, "search": search}, storage="s3://b/x", engine="ray")


def test_memory_will_do_for_one_process(start: Start) -> None:
    made = start(storage="memory://cells", vary={"data": ["a"]})
    assert made.rows() and not made.problems


def test_fetching_takes_the_record_last(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved: list[str] = []
    replace = Path.replace

    def noted(self: Path, target: Any) -> Path:
        if ".fetched" in self.parts:
            moved.append(Path(target).parent.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    start(vary={"data": ["a"]})
    assert moved[-3:] == ["cells", "logs", "records"]


def test_trials_of_a_search_lie_there_too(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    space = {"training.learning_rate": [0.1, 0.01]}
    fields = {
        "search": {"space": space, "trials": 2, "sampler": "grid", "pruner": "none"},
        "vary": {"data": ["a"]},
    }
    near = start(storage=None, output=str(tmp_path / "near"), **fields)
    far = start(**fields)
    told = [[(each.drawn, each.value) for each in made.trials()] for made in (near, far)]
    assert told[0] == told[1] and len(told[0]) == 2
    assert timeless(far) == timeless(near)
