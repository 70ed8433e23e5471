"""Two processes take the steps that one takes with their rows together."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

import multigraft as mg
import multigraft_series
from multigraft.engine import Engine
from multigraft.runs.run import Run
from multigraft.system.compute.processes import World, _buckets


class Send:
    """Sends the second process a signal at the end of a step, when all have agreed about that
    step."""

    def __init__(self, number: int, step: int | None) -> None:
        self.number = number
        self.step = step

    @mg.hookimpl
    def step_end(self, run: Run, step: int) -> None:
        if step == self.step and run.world.rank == 1:
            os.kill(os.getpid(), self.number)


def work(recipe: dict[str, Any], step: int | None, number: int = signal.SIGKILL) -> None:
    """What each process does: start or resume, and measure; at a step the second may get a
    signal."""
    torch.set_num_threads(1)
    torch.nn.Dropout.forward = lambda self, x: x  # type: ignore[method-assign]  # each draws its own masks
    engine = Engine([multigraft_series, Send(number, step)], discover=False)
    folder = Path(recipe["output"])
    resumes = (folder / "run.json").exists()
    run = engine.resume(folder) if resumes else engine.start(recipe, "finetune")
    accuracy = run.evaluate().metrics["accuracy"].value
    (folder.parent / f"{folder.name}-{run.world.rank}.txt").write_text(str(accuracy))


def as_rank(rank: int, size: int, port: int, *sent: Any) -> None:
    """`work` with the environment that torchrun gives a process."""
    places = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(rank)}
    os.environ.update(places, RANK=str(rank), WORLD_SIZE=str(size))
    work(*sent)


def launch(
    recipe: dict[str, Any], *, size: int, step: int | None = None, number: int = signal.SIGKILL
) -> list[SpawnProcess]:
    """The processes of one training, forked from one that has imported everything."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["multigraft.engine", "transformers", "timm", "peft"])
    processes = [
        context.Process(target=as_rank, args=(rank, size, port, recipe, step, number))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    return processes  # type: ignore[return-value]


def end(processes: list[SpawnProcess]) -> list[int | None]:
    """The exit codes."""
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


def torchrun(recipe: dict[str, Any], *, step: int | None = None) -> int:
    """The same two processes under torchrun itself; its exit code."""
    script = Path(recipe["output"]).parent / "train.py"
    script.write_text(
        "import json, sys, test_processes\ntest_processes.work(*map(json.loads, sys.argv[1:]))"
    )
    options = (
        "-m torch.distributed.run --standalone --local-addr 127.0.0.1 --nproc-per-node 2".split()
    )
    paths = [str(Path(__file__).parent), *sys.path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    command = [sys.executable, *options, str(script), json.dumps(recipe), json.dumps(step)]
    return subprocess.run(command, env=environment, timeout=300, check=False).returncode


@pytest.fixture
def recipe(rows: Any) -> dict[str, Any]:
    return {
        "task": "series-classification",
        "backbone": "tcn-tiny",
        "data": str(rows),
        "training": {
            "epochs": 3,
            "batch_size": 16,
            "learning_rate": 0.01,
            "precision": "fp32",
            "log_every": 1,
        },
        "evaluation": {"bootstrap": 0},
    }


def gap(first: dict[str, Any], second: dict[str, Any]) -> float:
    """The largest difference of a weight."""
    found = 0.0
    for name in Path(first["output"]).glob("model/*.safetensors"):
        ones = load_file(name)
        others = load_file(Path(second["output"]) / "model" / name.name)
        found = max(found, *(float((ones[key] - others[key]).abs().max()) for key in ones))
    return found


@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_equal_one(recipe: dict[str, Any], tmp_path: Path, accumulation: int) -> None:
    training = {**recipe["training"], "accumulation": accumulation}
    one = {**recipe, "output": str(tmp_path / "one"), "training": {**training, "batch_size": 16}}
    two = {**recipe, "output": str(tmp_path / "two"), "training": {**training, "batch_size": 8}}
    assert end(launch(one, size=1)) == [0]
    assert end(launch(two, size=2)) == [0, 0]
    assert gap(one, two) < 1e-5
    told = {path.name: path.read_text() for path in tmp_path.glob("*-?.txt")}
    assert told.keys() == {"one-0.txt", "two-0.txt", "two-1.txt"}
    assert len(set(told.values())) == 1  # the second process reads the report of the first
    lines = [
        [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    for first, second in zip(*lines, strict=True):
        assert first["step"] == second["step"]
        if "loss" in first:
            assert first["loss"] == pytest.approx(second["loss"], abs=1e-5)
        else:
            assert first["validation"]["accuracy"] == second["validation"]["accuracy"]


def test_one_process_killed_ends_the_other_and_the_run_resumes(
    recipe: dict[str, Any], tmp_path: Path
) -> None:
    training = {**recipe["training"], "batch_size": 8, "checkpoint_every": 2}
    calm, hurt = (
        {**recipe, "output": str(tmp_path / name), "training": training}
        for name in ("calm", "hurt")
    )
    assert end(launch(calm, size=2)) == [0, 0]
    codes = end(launch(hurt, size=2, step=5))
    assert codes[1] == -signal.SIGKILL
    assert codes[0] not in (0, None)
    told = json.loads((tmp_path / "hurt" / "run.json").read_text())
    assert told["state"] == "failed"
    assert told["reason"].startswith("another process of this training has ended")
    assert end(launch(hurt, size=2)) == [0, 0]
    assert gap(calm, hurt) == 0.0
    assert (tmp_path / "calm/metrics.jsonl").read_bytes() == (
        tmp_path / "hurt/metrics.jsonl"
    ).read_bytes()


def test_asked_to_stop_all_save_and_leave_together(recipe: dict[str, Any], tmp_path: Path) -> None:
    training = {**recipe["training"], "epochs": 300, "batch_size": 8}
    asked = {**recipe, "output": str(tmp_path / "asked"), "training": training}
    processes = launch(asked, size=2)
    journal = tmp_path / "asked" / "metrics.jsonl"
    deadline = time.monotonic() + 120
    while (
        not (journal.exists() and journal.read_text().count("\n") > 5)
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    os.kill(processes[1].pid or 0, signal.SIGTERM)  # one hears it, both stop
    assert all(code not in (0, None) for code in end(processes))
    assert json.loads((tmp_path / "asked" / "run.json").read_text())["state"] == "interrupted"
    assert list((tmp_path / "asked" / "checkpoints").glob("step-*"))


def test_a_signal_heard_after_the_agreement_is_answered_a_step_later(
    recipe: dict[str, Any], tmp_path: Path
) -> None:
    asked = {
        **recipe,
        "output": str(tmp_path / "asked"),
        "training": {**recipe["training"], "batch_size": 8},
    }
    assert all(
        code not in (0, None) for code in end(launch(asked, size=2, step=2, number=signal.SIGTERM))
    )
    assert json.loads((tmp_path / "asked" / "run.json").read_text())["state"] == "interrupted"
    assert (tmp_path / "asked" / "checkpoints" / "step-00000003").exists()


@pytest.mark.slow
def test_torchrun_gives_the_same_also_after_a_kill_and_leaves_no_process(
    recipe: dict[str, Any], tmp_path: Path
) -> None:
    training = {**recipe["training"], "checkpoint_every": 2}
    one, two, hurt = (
        {**recipe, "output": str(tmp_path / name), "training": {**training, "batch_size": size}}
        for name, size in (("one", 16), ("two", 8), ("hurt", 8))
    )
    assert end(launch(one, size=1)) == [0]
    assert torchrun(two) == 0
    assert torchrun(hurt, step=5) != 0
    assert _strays(tmp_path) == []
    assert torchrun(hurt) == 0
    assert gap(one, two) < 1e-5
    assert gap(two, hurt) == 0.0
    assert _strays(tmp_path) == []


def _strays(folder: Path) -> list[str]:
    """Processes of this test that are still there."""
    time.sleep(0.2)
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if str(folder) in line and process.pid != os.getpid():
            found.append(line)
    return found


def test_alone_everything_is_as_it_is() -> None:
    world = World()
    parameter = torch.nn.Parameter(torch.ones(2))
    world.add_up([parameter])
    assert parameter.grad is None
    assert world.sum(1.0, 2.0) == [1.0, 2.0]
    assert list(world.share([1, 2, 3])) == [1, 2, 3]
    assert world.gather("x") == ["x"]
    with world.in_turn():
        pass


def test_buckets_hold_one_type_and_cover_all() -> None:
    tensors = [
        torch.zeros(3),
        torch.zeros(5_000_000),
        torch.zeros(4_000_000),
        torch.zeros(2, dtype=torch.bfloat16),
    ]
    buckets = list(_buckets(tensors))
    assert sorted(id(t) for bucket in buckets for t in bucket) == sorted(id(t) for t in tensors)
    assert all(len({t.dtype for t in bucket}) == 1 for bucket in buckets)
    assert len(buckets) == 3


def test_a_process_whose_others_never_come_says_so() -> None:
    """As where the first one is killed while it begins: torch by itself waits for half an hour."""
    code = (
        "from datetime import timedelta\n"
        "from multigraft.system.compute import processes\n"
        "processes.JOINING = timedelta(seconds=2)\n"
        "try:\n"
        "    processes.join_world()\n"
        "except processes.RunError as error:\n"
        "    print(error)\n"
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **place, "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1"},
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    ).stdout
    assert "the 2 processes of this training did not meet within 2 s" in told
