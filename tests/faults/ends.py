"""Whether two runs ended alike, and whether an interrupted one left anything behind."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from faults.life import Room
from multigraft.system import cache
from multigraft.system.lock import HOLDER, alone_in
from multigraft.training.checkpoint.integrity import damage

FACTS = (
    "state",
    "reason",
    "steps",
    "best",
    "frozen",
    "data",
    "reader",
    "targets",
    "weights",
    "seed",
)
"""What of run.json follows from recipe and seed."""
MEASURED = (
    "metric",
    "value",
    "low",
    "high",
    "rows",
    "changed",
    "lost",
    "parity",
    "accepted",
    "file",
)
"""What of a precision in bundle.json does."""
GONE = 20.0
"""Seconds in which the reading processes of a killed one have left."""


def differences(calm: Room, other: Room) -> list[str]:
    """What is not the same in the ends of two runs of one recipe."""
    return [
        *_files(calm, other),
        *_facts(calm, other),
        *_order(calm, other),
        *_bundles(calm, other),
    ]


def _files(calm: Room, other: Room) -> Iterator[str]:
    """The model's files, metrics.jsonl, and the names of the checkpoints."""
    for pattern in ("model/**/*", "metrics.jsonl"):
        first, second = (
            {
                str(path.relative_to(room.run)): path.read_bytes()
                for path in room.run.glob(pattern)
                if path.is_file()
            }
            for room in (calm, other)
        )
        if not first:
            yield f"{pattern}: the undisturbed run has none"
        for name in sorted(first.keys() | second.keys()):
            if first.get(name) != second.get(name):
                yield f"{name}: other bytes"
    kept = [_kept(room) for room in (calm, other)]
    if kept[0] != kept[1]:
        yield f"checkpoints: {kept[1]} instead of {kept[0]}"


def _kept(room: Room) -> tuple[str, str, int]:
    """The newest best weights, the newest checkpoint, and how many there are.

    An older one may be of the moment of a SIGTERM.
    """
    folder = room.run / "checkpoints"
    best, steps = (
        sorted(path.name for path in folder.glob(f"{kind}-*")) for kind in ("best", "step")
    )
    return best[-1] if best else "", steps[-1], len(steps)


def _facts(calm: Room, other: Room) -> Iterator[str]:
    """What the reports measured, and what run.json says."""
    first, second = (
        json.loads((room.run / "run.json").read_text(encoding="utf-8")) for room in (calm, other)
    )
    for name in FACTS:
        if first.get(name) != second.get(name):
            yield f"run.json: {name} is {second.get(name)!r} instead of {first.get(name)!r}"
    for path in sorted((calm.run / "reports").glob("*.json")):
        reports = [
            json.loads((room.run / "reports" / path.name).read_text(encoding="utf-8"))
            for room in (calm, other)
        ]
        for name in ("metrics", "curves", "confusion", "worst"):
            values = [report.get(name) for report in reports]
            if values[0] != values[1]:
                yield f"reports/{path.name}: other {name}"


def _order(calm: Room, other: Room) -> Iterator[str]:
    """The rows of every step, their content as it was trained on, and the step's loss."""
    wanted = dict(_steps(calm))
    if not wanted:
        yield "no step was taken down"
    found = list(_steps(other))
    for step, what in found:
        if what != wanted.get(step):
            yield f"step {step}: made of {what} instead of {wanted.get(step)}"
    if missing := wanted.keys() - dict(found).keys():
        yield f"steps {sorted(missing)} were never made"


def _steps(room: Room) -> Iterator[tuple[int, Any]]:
    for path in room.order():
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                step, *what = json.loads(line)
                yield step, what


def _bundles(calm: Room, other: Room) -> Iterator[str]:
    if not (calm.run / "bundle").exists():
        return
    first, second = (
        json.loads((room.run / "bundle" / "bundle.json").read_text(encoding="utf-8"))
        for room in (calm, other)
    )
    for name, entry in first["precisions"].items():
        for key in MEASURED:
            found = second["precisions"][name][key]
            if entry[key] != found:
                yield f"bundle.json: {name} {key} is {found} instead of {entry[key]}"
    if calm.answers.read_bytes() != other.answers.read_bytes():
        yield "the bundles answer differently"


def leftovers(room: Room, processes: list[int]) -> list[str]:
    """What should not be there after the end: half-written files, broken checkpoints, a lock,
    processes."""
    found = [f"{path.relative_to(room.root)} was left" for path in _temporaries(room.run)]
    for folder in (room.run / "checkpoints").iterdir():
        wrong = damage(folder)
        if wrong is not None:
            found.append(f"checkpoints/{folder.name}: {wrong}")
    if (room.run / HOLDER).exists():
        found.append(f"{HOLDER} was left")
    with alone_in(room.run):
        pass
    cache.trim(room.cache, 2**62)  # what makes room first takes away what ended processes left
    found += [f"cache: {path.name} was left" for path in _temporaries(room.cache)]
    return [*found, *(f"process {process} is still there" for process in strays(processes))]


def _temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.suffix in (".new", ".old", ".tmp")]


def strays(groups: list[int]) -> list[int]:
    """Processes that are still alive, some seconds later, in the process groups of lives that
    ended."""
    deadline = time.monotonic() + GONE
    while left := [process for process in psutil.pids() if _group(process) in groups]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    return left


def _group(process: int) -> int | None:
    """The group of a process that is alive; None where it is gone or only not yet taken note of."""
    try:
        if psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
            return None
        return os.getpgid(process)
    except (psutil.Error, OSError):
        return None
