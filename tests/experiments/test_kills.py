"""An experiment whose processes are killed ends with the rows of one that was left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import yaml
from pyarrow import parquet

import multigraft as mg
import multigraft_series
from experiments.conftest import toy_grid, write_domains
from helpers.packages import ROOT, install

SEED = "MULTIGRAFT_FAULT_SEED"
WORKER = "multigraft.experiments.worker"
LIMIT = 200.0


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows, and the toy plugin installed for the processes that tests start."""
    folder = tmp_path_factory.mktemp("desk")
    install(ROOT / "plugins/template", folder / "site")
    write_domains(folder, "abc")
    return folder


def write_grid(desk: Path, name: str, **fields: Any) -> Path:
    """A grid of cells that learn in full, and of some that replay."""
    domains = {
        each: {"train": str(desk / f"{each}.csv"), "test": str(desk / f"{each}-test.csv")}
        for each in "abc"
    }
    grid = toy_grid(domains, desk / name)
    vary = {"data": ["a", "b"], "strategy": ["full", "linear-probe"], "seed": [0]}
    path = desk / f"{name}.yaml"
    path.write_text(yaml.safe_dump({**grid, "vary": vary, "workers": 2, **fields}))
    return path


class Life:
    """A process that computes an experiment, as a person starts it."""

    def __init__(self, desk: Path, grid: Path, *arguments: str) -> None:
        paths = [str(desk / "site"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "MULTIGRAFT_PLUGINS": "series",
            "OMP_NUM_THREADS": "1",
            "MULTIGRAFT_CACHE": str(grid.with_suffix(".cache")),
        }
        self.log = grid.with_suffix(".log")
        with self.log.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "multigraft.cli", "experiment", str(grid), *arguments],
                env=environment,
                stdout=file,
                stderr=file,
            )

    def workers(self) -> list[int]:
        """Its worker processes."""
        try:
            children = psutil.Process(self.process.pid).children()
            return [each.pid for each in children if WORKER in each.cmdline()]
        except psutil.Error:
            return []

    def end(self) -> int:
        """Wait for it; its exit code."""
        return self.process.wait(LIMIT)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of a table, times aside."""
    return [
        {**row, "seconds": None}
        for row in parquet.read_table(folder / "results.parquet").to_pylist()
    ]


def kill(process: int) -> None:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def ended(folder: Path) -> int:
    return len(list((folder / "records").glob("*.json")))


def await_ended(life: Life, folder: Path, count: int) -> bool:
    """Wait until so many cells have ended; whether the process is still there."""
    deadline = time.monotonic() + LIMIT
    while life.process.poll() is None and time.monotonic() < deadline:
        if ended(folder) >= count:
            return True
        time.sleep(0.02)
    return False


def await_gone(processes: Sequence[int]) -> None:
    """Workers do not outlive the process that started them."""
    there = [psutil.Process(each) for each in processes if psutil.pid_exists(each)]
    _, left = psutil.wait_procs(there, timeout=10)
    assert not left


@pytest.fixture
def chance() -> np.random.Generator:
    seed = int(os.environ.get(SEED, int.from_bytes(os.urandom(4), "big")))
    print(f"{SEED}={seed}")
    return np.random.default_rng(seed)


def test_killed_workers_and_their_starter_change_no_bit(
    desk: Path, chance: np.random.Generator
) -> None:
    """Beside one that was left alone, in one process instead of two."""
    calm = yaml.safe_load(write_grid(desk, "calm").read_text())
    whole = mg.experiment(calm, workers=1, plugins=[multigraft_series])
    grid, folder = write_grid(desk, "struck"), desk / "struck"
    first = Life(desk, grid)
    assert await_ended(first, folder, 1), first.log.read_text()[-3000:]
    workers = first.workers()
    kill(workers[0])
    time.sleep(float(chance.uniform(0, 1)))
    workers += first.workers()
    kill(first.process.pid)
    first.end()
    await_gone(workers)
    second = Life(desk, grid, "--workers", "1")
    assert second.end() == 0, second.log.read_text()[-3000:]
    assert rows_of(folder) == rows_of(whole.folder)
    assert not list((folder / "workers").glob("*.lock"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_twenty_times_it_ends_with_the_same_rows(
    desk: Path, chance: np.random.Generator
) -> None:
    fields = {
        "vary": {
            "data": ["a", "b", "c"],
            "strategy": ["full", "linear-probe"],
            "seed": [0, 1, 2, 3],
        },
        "test_on": "all",
    }
    calm = write_grid(desk, "calm-24", **fields)
    assert Life(desk, calm, "--workers", "1").end() == 0
    grid, folder = write_grid(desk, "struck-24", **fields), desk / "struck-24"
    kills = 0
    while kills < 20 and ended(folder) < 23:
        life = Life(desk, grid)
        await_ended(life, folder, ended(folder) + int(chance.integers(1, 3)))
        time.sleep(float(chance.uniform(0, 1)))
        struck = life.workers()[:1] if chance.random() < 0.5 else []
        for worker in struck:
            kill(worker)
            time.sleep(float(chance.uniform(0, 3)))
        kill(life.process.pid)
        kills += len(struck) + 1
        life.end()
    assert kills >= 10
    last = Life(desk, grid)
    assert last.end() == 0, last.log.read_text()[-3000:]
    assert rows_of(folder) == rows_of(desk / "calm-24")


@pytest.mark.slow
def test_a_search_that_is_killed_draws_and_chooses_the_same(
    desk: Path, chance: np.random.Generator
) -> None:
    """Of random draws, which do not depend on what ended before: two workers beside one."""
    pytest.importorskip("optuna")
    rate = {"low": 1e-5, "high": 1e-1, "log": True}
    space = {"strategy": ["full", "linear-probe"], "training.learning_rate": rate}
    fields = {
        "vary": {"data": ["a", "b"], "seed": [0]},
        "search": {"space": space, "trials": 6, "sampler": "random", "pruner": "none"},
    }
    calm = write_grid(desk, "calm-search", **fields)
    assert Life(desk, calm, "--workers", "1").end() == 0
    grid, folder = write_grid(desk, "struck-search", **fields), desk / "struck-search"
    for _ in range(4):
        life = Life(desk, grid)
        await_ended(life, folder / "search", ended(folder / "search") + 1)
        time.sleep(float(chance.uniform(0, 1)))
        struck = life.workers()[:1] if chance.random() < 0.5 else []
        for worker in struck:
            kill(worker)
            time.sleep(float(chance.uniform(0, 1)))
        kill(life.process.pid)
        life.end()
    last = Life(desk, grid)
    assert last.end() == 0, last.log.read_text()[-3000:]
    assert rows_of(folder) == rows_of(desk / "calm-search")
    found, whole = (
        {
            (each.study, each.number): (each.drawn, each.value, each.state)
            for each in mg.Experiment.open(each_folder).trials()
        }
        for each_folder in (folder, desk / "calm-search")
    )
    assert found == whole and len(found) == 12
