"""Worker process: makes the cells that come on its standard input, and tells of each that ended.

It ends with the process that started it, however that one ends: then its standard input does.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from pathlib import Path
from typing import TextIO

from multigraft.experiments.folder import at_work
from multigraft.experiments.job import Job
from multigraft.experiments.stored_cells import make


def main(folder: str) -> None:
    """Make cells until there are no more."""
    answers = _own_stdout()
    with at_work(Path(folder)):
        jobs: queue.Queue[str] = queue.Queue()
        busy = threading.Event()
        threading.Thread(target=_read, args=(jobs, busy), daemon=True).start()
        while line := jobs.get():
            answers.write(make(Job.from_json(line)).to_json() + "\n")
            busy.clear()
            answers.flush()


def _own_stdout() -> TextIO:
    """Standard output for answers alone: what libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def _read(jobs: queue.Queue[str], busy: threading.Event) -> None:
    for line in sys.stdin:
        busy.set()
        jobs.put(line)
    if busy.is_set():
        os._exit(1)  # nobody is there any more to hear of the cell: it is gone on with later
    jobs.put("")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:  # it was asked to stop, and has saved what it had
        sys.exit(130)
