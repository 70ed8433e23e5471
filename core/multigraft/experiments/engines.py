"""Engines: what trains the cells, in this process, in several on this machine, or under Ray."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.job import Ended, Job
from multigraft.experiments.processes import Processes
from multigraft.experiments.stored_cells import Fetched, StoredCells, make
from multigraft.experiments.turns import Queue
from multigraft.system.cpu import usable_cores

Name = Literal["processes", "ray"]


class Workers(Protocol):
    """An engine: what trains the cells."""

    def run(self, turns: Queue) -> Generator[Ended]:
        """Make every cell, and tell of each as it ends."""
        ...


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Which engine is asked for, and with what."""

    name: Name = "processes"
    workers: int = 1
    """Cells side by side."""
    threads: int = 1
    gpus: float = 0
    """Of each cell, under Ray."""
    address: str | None = None
    """Of Ray's cluster; None: a new one on this machine."""
    storage: str | None = None
    """A URL where cells lie while they are made; None: in the experiment's folder."""
    plugins: Sequence[object] = field(default_factory=tuple)

    @property
    def sharing(self) -> int:
        """How many cells this machine's cores are shared by, where no threads are named: a cluster
        gives each cell one."""
        return usable_cores() if self.name == "ray" else self.workers

    def start(self, folder: Path, job: Callable[[PlannedRun], Job], runs: int) -> Workers:
        """The engine for so many runs, whose records lie in ``folder``."""
        if self.storage is None:
            return self._workers(folder, job, runs)
        cells = StoredCells(self.storage, folder)
        return Fetched(self._workers(folder, lambda run: cells.placed(job(run)), runs), cells)

    def _workers(self, folder: Path, job: Callable[[PlannedRun], Job], runs: int) -> Workers:
        if self.name == "ray":
            from multigraft.experiments.ray_cluster import RayCluster

            return RayCluster(folder, self, job)
        count = min(self.workers, runs)
        if count > 1:
            return Processes(folder, count=count, threads=self.threads, job=job)
        return InProcess(job, self.plugins)


@dataclass(frozen=True)
class InProcess:
    """Engine of one worker: this process."""

    job: Callable[[PlannedRun], Job]
    plugins: Sequence[object] = ()

    def run(self, turns: Queue) -> Generator[Ended]:
        """Make one cell after another."""
        while (run := turns.take()) is not None:
            ended = make(self.job(run), self.plugins)
            turns.ended(run.key)
            yield ended
