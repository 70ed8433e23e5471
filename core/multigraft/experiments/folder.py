"""An experiment's folder: what is in it, and who is at work there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from multigraft.errors import RunError, refused_as
from multigraft.experiments.plan import Plan, sources_of
from multigraft.system.cpu import usable_cores
from multigraft.system.files import check_plain, write_json, write_text

GRID, STATE, RESULTS, PAGE, WORKERS, SEARCH = (
    "grid.yaml",
    "experiment.json",
    "results.parquet",
    "report.html",
    "workers",
    "search",
)
ORPHANS = 60.0
"""Seconds that workers of a process that was killed may take to end."""
CHUNK = 2**20
STATE_BYTES = 2**26
"""The most bytes of an experiment's facts; those of 10,000 cells take 3 MB."""


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold an experiment's folder. Raises RunError where another process is at work in it."""
    from multigraft.system.lock import alone_in

    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        _await_orphans(folder)
        yield


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """Show, while a worker lives, that it does: the system lets go of its lock, however it dies."""
    from filelock import FileLock

    path = folder / WORKERS / f"{os.getpid()}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _await_orphans(folder: Path) -> None:
    """Wait for workers whose starter was killed: they end as soon as they see it."""
    from filelock import FileLock, Timeout

    places = (folder / WORKERS, folder / SEARCH / WORKERS)
    for path in sorted(path for place in places for path in place.glob("*.lock")):
        try:
            with FileLock(path, timeout=ORPHANS):
                path.unlink(missing_ok=True)
        except Timeout as error:
            raise RunError(
                f"{folder}: process {path.stem} is still at work for an experiment that was killed;"
                " end it, and start again"
            ) from error


def begin(folder: Path, plan: Plan, workers: int) -> int:
    """Write down what is being done, and give the threads of each cell.

    Raises RunError where the folder holds an experiment whose data changed since.
    """
    before = read_state(folder)
    digests = {str(path): _digest(path) for path in sources_of(plan)}
    known = before.get("data", {})
    changed = [path for path, digest in digests.items() if known.get(path, digest) != digest]
    if changed:
        raise RunError(
            f"{folder}: was begun with other rows: {', '.join(changed)} changed since; put them "
            "back, or name another output"
        )
    threads = plan.grid.threads or before.get("threads") or usual_threads(workers)
    write_text(folder / GRID, plan.grid.to_yaml())
    state = {"threads": threads, "data": {**known, **digests}}
    told = {"metric": plan.grid.metric, "domains": [each.name for each in plan.domains]}
    cells = [asdict(run.cell) for run in plan.runs]
    if plan.studies:  # what they chose before stays until they have chosen again
        cells = before.get("cells", cells)
    write_json(folder / STATE, {**state, **told, "cells": cells})
    return int(threads)


def usual_threads(workers: int) -> int:
    """The threads of a cell where nothing is said: those that the person chose by
    ``OMP_NUM_THREADS``, else the cores by the workers."""
    chosen = os.environ.get("OMP_NUM_THREADS", "")
    return int(chosen) if chosen.isdecimal() and int(chosen) else max(1, usable_cores() // workers)


def read_state(folder: Path) -> Mapping[str, Any]:
    """What an experiment was begun with; empty where none was. Raises RunError where it is
    damaged."""
    path = folder / STATE
    if not path.exists():
        return {}
    with refused_as(RunError, f"{path}: cannot be read"):
        check_plain(path, limit=STATE_BYTES)
        found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise RunError(f"{path}: does not hold the facts of an experiment")
    return found


def _digest(path: Path) -> str:
    """What tells a file from one of other content; of a folder what its files are called, their
    sizes and times."""
    digest = hashlib.blake2b(digest_size=16)
    if path.is_file():
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    else:
        for each in _files(path):
            facts = each.stat()
            digest.update(f"{each.relative_to(path)}:{facts.st_size}:{facts.st_mtime_ns};".encode())
    return digest.hexdigest()


def _files(path: Path) -> Sequence[Path]:
    return sorted(each for each in path.rglob("*") if each.is_file())
