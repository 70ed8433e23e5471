"""Local engine: worker processes on this machine, which share its cores and die with this one."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multigraft.experiments.cells import PlannedRun
from multigraft.experiments.job import LOGS, Ended, Job
from multigraft.experiments.records import Record, write_record
from multigraft.experiments.turns import Queue

WORKER = "multigraft.experiments.worker"
LIVES = 3
"""How often the process of a cell may be killed before the cell is told as failed."""
PATIENCE = 30.0
"""Seconds in which workers that are asked to stop may save what they have."""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(eq=False)
class Worker:
    """A process that makes one cell after another."""

    process: subprocess.Popen[str]
    run: PlannedRun | None = None
    """What it is at."""


class Processes:
    """Workers that take cells in turn."""

    def __init__(
        self, folder: Path, *, count: int, threads: int, job: Callable[[PlannedRun], Job]
    ) -> None:
        self._folder = folder
        self._count = count
        self._threads = threads
        self._job = job
        self._workers: list[Worker] = []
        self._deaths: Counter[str] = Counter()
        self._said: queue.Queue[tuple[Worker, str]] = queue.Queue()
        """Lines of the workers; an empty one: the worker has ended."""

    def run(self, turns: Queue) -> Generator[Ended]:
        """Make every cell, and tell of each as it ends. Where this is left early, the workers save
        what they have."""
        try:
            while turns.left:
                self._employ(turns)
                if not any(worker.run for worker in self._workers):
                    continue  # what was left has ended without work
                worker, line = self._said.get()
                ended = self._heard(worker, line, turns)
                if ended is not None:
                    yield ended
        finally:
            self._dismiss()

    def _employ(self, turns: Queue) -> None:
        """Give cells to idle workers, and to new ones while fewer than allowed are there."""
        while self._has_room() and (run := turns.take()) is not None:
            worker = self._idle()
            worker.run = run
            assert worker.process.stdin is not None
            with suppress(OSError):  # it has died, and its end will be heard of
                worker.process.stdin.write(self._job(run).to_json() + "\n")
                worker.process.stdin.flush()

    def _has_room(self) -> bool:
        return sum(worker.run is not None for worker in self._workers) < self._count

    def _idle(self) -> Worker:
        found = next((worker for worker in self._workers if worker.run is None), None)
        if found is None:
            found = self._started()
            self._workers.append(found)
        return found

    def _started(self) -> Worker:
        number = len(self._workers)
        log = self._folder / LOGS / f"worker-{number}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(self._folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                encoding="utf-8",
                env={**os.environ, **dict.fromkeys(THREADS, str(self._threads))},
                start_new_session=True,  # a terminal's Ctrl-C is for this process, which asks them
            )
        worker = Worker(process)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _listen(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            self._said.put((worker, line))
        self._said.put((worker, ""))

    def _heard(self, worker: Worker, line: str, turns: Queue) -> Ended | None:
        """What a worker's line means for the cell that it was at."""
        run, worker.run = worker.run, None
        if line:
            ended = Ended.from_json(line)
            turns.ended(ended.key)
            return ended
        code = worker.process.wait()
        self._workers.remove(worker)
        return None if run is None else self._died(run, code, turns)

    def _died(self, run: PlannedRun, code: int, turns: Queue) -> Ended | None:
        """Take up a cell again whose process ended in the middle; not for ever."""
        self._deaths[run.key] += 1
        if self._deaths[run.key] < LIVES:
            turns.again(run.key)
            return None
        turns.ended(run.key)
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"left with {code}"
        reason = (
            f"its process {how} {LIVES} times, where memory is short as a rule; lower workers, or "
            f"the batch size of its recipe ({LOGS}/{run.key}.log has what it said)"
        )
        try:
            write_record(self._folder, Record(cell=run.key, state="failed", reason=reason))
        except OSError as error:
            return Ended(run.key, str(error))
        return Ended(run.key)

    def _dismiss(self) -> None:
        """Let idle workers go, ask the others to stop, and wait for them."""
        for worker in self._workers:
            assert worker.process.stdin is not None
            if worker.run is not None:
                worker.process.terminate()
            else:
                with suppress(OSError):
                    worker.process.stdin.close()
        for worker in self._workers:
            try:
                worker.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
