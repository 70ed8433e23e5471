"""Workers: cells go side by side or in turn, and a process that dies is not the end of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from experiments.made_up import make_cell
from multigraft.experiments import processes
from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.job import Job
from multigraft.experiments.processes import Processes
from multigraft.experiments.records import read_cell_record
from multigraft.experiments.turns import Turns

WORKS = """
import json, sys, time
for line in sys.stdin:
    key = json.loads(line)["key"]
    open(sys.argv[1] + "/begun", "a").write(key + "\\n")
    time.sleep(0.05)
    print(json.dumps({"key": key}), flush=True)
"""
DIES = """
import json, os, signal, sys
for line in sys.stdin:
    key = json.loads(line)["key"]
    if key.startswith("b"):
        os.kill(os.getpid(), signal.SIGKILL)
    print(json.dumps({"key": key}), flush=True)
"""


def planned(source: str, turn: str | None = None) -> PlannedRun:
    return PlannedRun(make_cell(source), "finetune", {}, turn)


def test_runs_of_one_turn_wait_for_each_other() -> None:
    runs = [planned("a", "x"), planned("b", "x"), planned("c"), planned("d", "y")]
    turns = Turns(runs)
    taken = [turns.take() for _ in range(4)]
    assert [None if run is None else run.cell.data for run in taken] == ["a", "c", "d", None]
    turns.ended(runs[0].key)
    assert turns.take() is runs[1]
    turns.again(runs[2].key)
    assert turns.take() is runs[2], "what was cut short goes first"
    assert turns.left == 3


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Two workers that do what a script says."""

    def make(script: str) -> Processes:
        (tmp_path / "stand_in_worker.py").write_text(script)
        monkeypatch.setattr(processes, "WORKER", "stand_in_worker")
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        return Processes(
            tmp_path,
            count=2,
            threads=1,
            job=lambda run: Job(
                key=run.key,
                experiment=str(tmp_path),
                stage="finetune",
                recipe={},
                data=None,
                domains=(),
                threads=1,
                keep="runs",
            ),
        )

    return make


def children() -> list[str]:
    return [" ".join(each.cmdline()) for each in psutil.Process(os.getpid()).children()]


def test_every_cell_is_made_once_and_no_worker_is_left(engine: Any, tmp_path: Path) -> None:
    runs = [planned(name) for name in "abcdef"]
    ended = [each.key for each in engine(WORKS).run(Turns(runs))]
    assert sorted(ended) == sorted(run.key for run in runs)
    begun = (tmp_path / "begun").read_text().splitlines()
    assert sorted(begun) == sorted(ended)
    assert not any("stand_in_worker" in command for command in children())


def test_a_cell_whose_process_dies_again_and_again_fails_alone(engine: Any, tmp_path: Path) -> None:
    runs = [planned(name) for name in "abc"]
    ended = [each.key for each in engine(DIES).run(Turns(runs))]
    assert sorted(ended) == sorted(run.key for run in runs)
    record = read_cell_record(tmp_path, runs[1].key)
    assert record is not None
    assert record.problems[0].startswith("its process was ended by SIGKILL 3 times")


def test_left_early_it_ends_its_workers(engine: Any) -> None:
    events = engine(WORKS).run(Turns([planned(name) for name in "abcdef"]))
    next(events)
    assert any("stand_in_worker" in command for command in children())
    events.close()
    assert not any("stand_in_worker" in command for command in children())
