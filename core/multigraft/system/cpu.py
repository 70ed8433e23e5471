"""CPU information: what the processor says of itself, and this process's share; torch-free."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

SYSTEM = Path("/")
"""Where ``proc`` and ``sys`` lie."""
UNIFIED = ("", "unified")
"""Where cgroups of version 2 lie in ``sys/fs/cgroup``; the second beside those of version 1."""
DIVIDED = ("cpu,cpuacct", "cpu", "cpuacct,cpu")
"""Where those of version 1 that divide the processor do."""


def cpu_flags() -> set[str]:
    """The processor's instruction sets as Linux names them; empty where it does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return set()
    line = next((line for line in text.splitlines() if line.startswith(("flags", "Features"))), "")
    return set(line.partition(":")[2].split())


def usable_cores() -> int:
    """Count the threads that can compute at a time: affinity mask, within the cgroup's quota.

    The quota of a container (``docker --cpus``, a limit of Kubernetes) is time; more threads than
    it pays for wait for each other while it is used up. It is rounded to whole cores, and one is
    always there.
    """
    cores, quota = granted_cores(), cpu_quota()
    return cores if quota is None else max(1, min(cores, int(quota + 0.5)))


def limited_cores() -> int | None:
    """`usable_cores` where fewer than the machine's; None where a library may choose."""
    cores = usable_cores()
    return cores if cores < (os.cpu_count() or 1) else None


def granted_cores() -> int:
    """The cores of the affinity mask, which libraries look at themselves."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_quota() -> float | None:
    """Processors whose time this process's cgroup may use, as 0.5; None: no limit.

    The strictest of the cgroup and those around it, in either version.
    """
    quotas = [quota for folder in _cgroups() if (quota := _quota(folder)) is not None]
    return min(quotas, default=None)


def _cgroups() -> Iterator[Path]:
    """The folders of this process's cgroup and of those around it.

    A container may see its path on the host, of which only the root is there.
    """
    root = SYSTEM / "sys/fs/cgroup"
    for line in _text(SYSTEM / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        inside = PurePosixPath(path.lstrip("/"))
        for mount in DIVIDED if controllers else UNIFIED:
            yield from (root / mount / each for each in (inside, *inside.parents))


def _quota(folder: Path) -> float | None:
    words = _text(folder / "cpu.max").split() or [
        *_text(folder / "cpu.cfs_quota_us").split(),
        *_text(folder / "cpu.cfs_period_us").split(),
    ]
    try:
        time, period = map(float, words)
    except ValueError:  # "max", or no such file
        return None
    return time / period if time > 0 and period > 0 else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
