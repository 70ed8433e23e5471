"""Ray engine: each cell a task of a cluster, whose nodes see the experiment's folder or storage."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Generator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multigraft.errors import RunError
from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.job import LOGS, Ended, Job
from multigraft.experiments.processes import LIVES, PATIENCE, THREADS
from multigraft.experiments.records import Record, write_record
from multigraft.experiments.stored_cells import make
from multigraft.experiments.turns import Queue

if TYPE_CHECKING:
    from multigraft.experiments.engines import Engine

log = logging.getLogger("multigraft")
MARKS = "workers"


class RayCluster:
    """Ray engine: a task for each cell.

    A task whose node is lost is started again by Ray, on another, and goes on from the cell's
    checkpoint in the folder or the storage that all nodes share.
    """

    def __init__(self, folder: Path, asked: Engine, job: Callable[[PlannedRun], Job]) -> None:
        self._folder = folder
        self._asked = asked
        self._job = job

    def run(self, turns: Queue) -> Generator[Ended]:
        """Make every cell, and tell of each as it ends. Where this is left early, the tasks are
        asked to stop and save what they have. A connection that the script has to Ray is used."""
        import ray

        if not turns.left:
            return
        ours = not ray.is_initialized()
        if ours:
            ray.init(self._asked.address, log_to_driver=False)
        mark = self._marked()
        task = self._task(str(mark))
        running: dict[Any, PlannedRun] = {}
        try:
            while turns.left:
                while len(running) < self._room() and (run := turns.take()) is not None:
                    running[task.remote(self._job(run).to_json())] = run
                if not running:
                    continue  # what was left has ended without work
                for reference in ray.wait(list(running))[0]:
                    ended = self._heard(reference, running.pop(reference))
                    turns.ended(ended.key)
                    yield ended
        finally:
            _cancel(list(running))
            mark.unlink(missing_ok=True)
            if ours:
                ray.shutdown()

    def _task(self, mark: str) -> Any:
        """The remote function, with the resources of a cell."""
        import ray

        environment = dict.fromkeys(THREADS, str(self._asked.threads))

        @ray.remote(
            num_cpus=self._asked.threads,
            num_gpus=self._asked.gpus,
            max_retries=LIVES - 1,
            runtime_env={"env_vars": environment},
        )
        def cell(job: str) -> str:
            asked = Job.from_json(job)
            if asked.stored is None and not Path(mark).exists():
                raise RunError(f"{mark}: is not there on {ray.util.get_node_ip_address()}")
            return make(asked).to_json()

        return cell

    def _marked(self) -> Path:
        """A file by which a task knows that its node sees the experiment's folder."""
        mark = self._folder / MARKS / f"ray-{uuid.uuid4().hex}"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
        return mark

    def _room(self) -> int:
        """How many cells go side by side: as many as are asked for, else as the cluster has
        resources for."""
        import ray

        if self._asked.workers > 1:
            return self._asked.workers
        there = ray.cluster_resources()
        room = int(there.get("CPU", 0) // self._asked.threads)
        if self._asked.gpus:
            room = min(room, int(there.get("GPU", 0) / self._asked.gpus))
        return max(room, 1)

    def _heard(self, reference: Any, run: PlannedRun) -> Ended:
        """How a task ended; where it was lost for good, its cell has failed."""
        import ray

        try:
            return Ended.from_json(ray.get(reference))
        except ray.exceptions.RayTaskError as error:
            if not isinstance(error.cause, RunError):
                raise
            raise RunError(
                f"{error.cause}: every node of a cluster must see the experiment's folder under "
                "one path; give --out a folder on a disk that they share, or --storage a URL"
            ) from error
        except ray.exceptions.RayError as error:
            reason = (
                f"its task was lost {LIVES} times ({type(error).__name__}), where memory is short "
                f"as a rule; lower the batch size of its recipe ({LOGS}/{run.key}.log has what it "
                "said)"
            )
            return _failed(self._folder, run.key, reason)


def _failed(folder: Path, key: str, reason: str) -> Ended:
    try:
        write_record(folder, Record(cell=key, state="failed", reason=reason))
    except OSError as error:
        return Ended(key, str(error))
    return Ended(key)


def _cancel(references: list[Any]) -> None:
    """Ask tasks to stop, as Ctrl-C does, and wait until they have saved."""
    import ray

    for reference in references:
        ray.cancel(reference)
    if references:
        with suppress(ray.exceptions.RayError):
            ray.wait(references, num_returns=len(references), timeout=PATIENCE)
