"""Worker processes: the same work in this process, or side by side in several."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any, TypeVar

from multigraft.errors import RunError

Job = TypeVar("Job")
Done = TypeVar("Done")
FORK = "fork"
AHEAD = 2
"""Jobs a worker, that are given out before one is done: they are held in memory."""
STARTED: list[Callable[[Any], Any]] = []
"""In a worker, what it works by; it dies with its process."""


def in_workers(
    work: Callable[[], Callable[[Job], Done]], jobs: Iterable[Job], workers: int
) -> Iterator[Done]:
    """Do each job by the function that ``work`` gives once a process; results come as they are
    done. Processes are forked, so that a program need not be importable, nor a plugin picklable;
    where none can be, this one does all. Raises what a job raises, and RunError where a process
    died."""
    if workers == 1 or FORK not in multiprocessing.get_all_start_methods():
        yield from map(work(), jobs)
        return
    context = multiprocessing.get_context(FORK)
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(work,))
    with pool:
        waiting: set[Future[Done]] = set()
        try:
            for job in jobs:
                waiting.add(pool.submit(_do, job))
                if len(waiting) >= AHEAD * workers:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from (each.result() for each in done)
            yield from (each.result() for each in waiting)
        except BrokenProcessPool as error:
            raise RunError(
                "a worker process died, maybe for want of memory; go on with the same command and "
                "fewer workers"
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin(work: Callable[[], Callable[[Any], Any]]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal signals whole groups
    threading.Thread(target=_end_with_parent, daemon=True).start()
    STARTED.append(work())


def _end_with_parent() -> None:
    """Leave as soon as the parent is gone, killed ones among them."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _do(job: Any) -> Any:
    return STARTED[0](job)
