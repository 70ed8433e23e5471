"""How many threads compute by default: what an affinity mask and a container's quota leave of the
machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch

import multigraft as mg
from helpers.toy_runs import exported
from multigraft.runtime.session import Session
from multigraft.system import cpu

MACHINE = 16
"""Cores of the machine that these tests make up."""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a made-up system, whose processor has 16 cores."""
    monkeypatch.setattr(cpu, "SYSTEM", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(MACHINE)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: MACHINE)
    return tmp_path


def write(system: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = system / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def half(system: Path) -> None:
    """Half a processor, as ``docker run --cpus 0.5`` gives it."""
    write(system, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"})


V1 = "12:memory:/docker/ab\n4:cpu,cpuacct:/docker/ab\n1:name=systemd:/docker/ab\n"


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2.5),
        # its own is wide, that of the slice around it is not
        (
            {
                "proc/self/cgroup": "0::/a.slice/b.scope\n",
                "sys/fs/cgroup/a.slice/b.scope/cpu.max": "800000 100000\n",
                "sys/fs/cgroup/a.slice/cpu.max": "150000 100000\n",
            },
            1.5,
        ),
        # a container that sees the host's path
        (
            {
                "proc/self/cgroup": "0::/kubepods/pod1/c\n",
                "sys/fs/cgroup/cpu.max": "100000 100000\n",
            },
            1.0,
        ),
        # version 1: inside, of which only the root is seen, and on the host
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "20000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "10000\n",
            },
            2.0,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/docker/ab/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/docker/ab/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": V1,
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        # version 2 beside version 1
        (
            {
                "proc/self/cgroup": f"{V1}0::/x\n",
                "sys/fs/cgroup/unified/x/cpu.max": "300000 100000\n",
            },
            3.0,
        ),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 0\n"}, None),
        ({"proc/self/cgroup": "nonsense\n\n0::\n", "sys/fs/cgroup/cpu.max": "\x00 many\n"}, None),
        # a set of cores is no quota
        (
            {"proc/self/cgroup": "5:cpuset:/x\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "1\n"},
            None,
        ),
    ],
)
def test_the_strictest_quota_around_a_process_is_found(
    machine: Path, files: Mapping[str, str], quota: float | None
) -> None:
    write(machine, files)
    assert cpu.cpu_quota() == quota


@pytest.mark.parametrize(
    ("quota", "cores"),
    [(20_000, 1), (100_000, 1), (149_000, 1), (150_000, 2), (250_000, 3), (4_000_000, 16)],
)
def test_a_quota_becomes_whole_cores(machine: Path, quota: int, cores: int) -> None:
    write(machine, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"})
    assert cpu.usable_cores() == cores
    assert cpu.limited_cores() == (cores if cores < MACHINE else None)


def test_an_affinity_mask_counts_too(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7})
    assert cpu.usable_cores() == cpu.limited_cores() == 3
    half(machine)
    assert cpu.usable_cores() == 1


def threads(session: Session) -> int:
    """How many compute a call; 0 is onnxruntime's own choice."""
    found: int = session._session.get_session_options().intra_op_num_threads
    return found


def test_a_session_keeps_to_the_quota_unless_it_is_told(machine: Path) -> None:
    run, _ = exported("numbers")
    graph = Path(run.folder) / "bundle" / "model.onnx"
    assert threads(Session(graph)) == 0
    half(machine)
    assert threads(Session(graph)) == 1
    assert threads(Session(graph, threads=3)) == 3


@pytest.fixture
def torch_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    yield monkeypatch
    torch.set_num_threads(before)


@pytest.mark.parametrize("own", [MACHINE, MACHINE // 2])
def test_an_engine_has_torch_keep_to_the_quota(
    machine: Path, torch_threads: pytest.MonkeyPatch, own: int
) -> None:
    torch.set_num_threads(own)
    mg.Engine(discover=False)
    assert torch.get_num_threads() == own
    half(machine)
    mg.Engine(discover=False)
    assert torch.get_num_threads() == 1


def test_torch_keeps_the_number_that_was_chosen(
    machine: Path, torch_threads: pytest.MonkeyPatch
) -> None:
    half(machine)
    torch.set_num_threads(3)
    mg.Engine(discover=False)
    assert torch.get_num_threads() == 3
    torch.set_num_threads(MACHINE)
    torch_threads.setenv("OMP_NUM_THREADS", str(MACHINE))
    mg.Engine(discover=False)
    assert torch.get_num_threads() == MACHINE
