"""Counts what a process does to its files and to its run, and strikes it at one of these events."""

from __future__ import annotations

import functools
import importlib
import json
import mmap
import os
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BETWEEN = "between"
SIGNS = 64
"""The bytes of a board."""
PLACES = {
    "multigraft.runs.assembly:assemble": "assembly",
    "multigraft.data.rows:Rows.audit": "rows cache",
    "multigraft.data.sources.arrow_cache:convert": "table cache",
    "multigraft.training.checkpoint.folder:Checkpoints.load": "checkpoint read",
    "multigraft.training.checkpoint.folder:Checkpoints.load_best": "checkpoint read",
    "multigraft.training.checkpoint.folder:Checkpoints.save": "checkpoint write",
    "multigraft.evaluation.measure:measure_split": "validation",
    "multigraft.verbs:evaluate": "evaluation",
    "multigraft.training.replay.player:Player.take": "replay build",
    "multigraft.verbs:save_model_folder": "model save",
    "multigraft.export.pipeline:export_bundle": "export",
    "multigraft.engine:keep_report": "report",
    "multigraft.runs.metrics_log:MetricsLog.write": "journal",
    "multigraft.runs.metrics_log:MetricsLog.keep": "journal",
    "multigraft.runs.run:Run.record": "run.json",
    "multigraft.training.step:Gradient.compute": "step",
    "multigraft.training.optimizers:ScheduledOptimizer.step": "step",
    "multigraft.export.graph.trace:export_graph": "export",
    "multigraft.export.acceptance.parity:check_parity": "export",
    "multigraft.export.precision.quantize:prepare": "export",
    "multigraft.export.precision.quantize:write": "export",
    "multigraft.runtime.bundle:seal": "export",
}
"""Where a process is while a function runs, by where that is defined; an event before and after
each call."""
EVENTS = {
    "multigraft.evaluation.microbatches:halve_on_shortage": "a batch is computed",
    "multigraft.data.batching.loader:_Source.make": "a batch is read",
    "multigraft.training.replay.player:Player.compute": "rows are computed",
}
"""Functions that are an event, wherever they are called."""
FILES = ("rename", "replace", "mkdir", "unlink", "remove", "rmdir", "fsync")
"""Functions of `os`, with an event before and one after each call."""
OPENED = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Strike:
    """What is done to a process at the ``number``-th event (from 1) that is called ``event``."""

    event: str
    number: int
    deed: str = "SIGKILL"
    """A signal's name, or one of `DEEDS`."""


class Watch:
    """The events of this process in ``folders``; `install` it once, in a process of its own.

    ``board`` is a file (see `clean`) that says where the process is, also when it was killed.
    """

    def __init__(
        self, folders: Sequence[Path], board: Path, strikes: Sequence[Strike] = ()
    ) -> None:
        self._inside = tuple(str(folder.resolve()) for folder in folders)
        self._strikes = {(strike.event, strike.number): strike.deed for strike in strikes}
        self._counts: Counter[str] = Counter()
        self._places = [BETWEEN]
        self._process, self._thread = os.getpid(), threading.get_ident()
        self._busy = False
        self._began = time.perf_counter()
        self.seen: list[tuple[str, float]] = []
        """Every event in order, with its second."""
        with board.open("r+b") as file:
            self._board = mmap.mmap(file.fileno(), SIGNS)

    def install(self) -> None:
        """Count from now on, until the process ends."""
        for target, place in PLACES.items():
            _wrap(target, functools.partial(self._at, place, target.rpartition(":")[2]))
        for target, event in EVENTS.items():
            _wrap(target, functools.partial(self._before, event))
        for name in FILES:
            setattr(os, name, self._file(name, getattr(os, name)))
        _wrap("safetensors.torch:serialize_file", self._tensors)
        _wrap("multigraft.runs.metrics_log:MetricsLog.write", self._line)
        sys.addaudithook(self._heard)

    def event(self, kind: str, tear: Callable[[], object] | None = None) -> None:
        """Count one event, and strike where it is the one; ``tear`` leaves a file half written
        before."""
        if os.getpid() != self._process or self._busy:
            return
        place = self._places[-1] if threading.get_ident() == self._thread else "reading ahead"
        name = f"{place}: {kind}"
        self._counts[name] += 1
        self.seen.append((name, time.perf_counter() - self._began))
        deed = self._strikes.get((name, self._counts[name]))
        if deed is not None:
            self._strike(deed, place, tear)

    def _strike(self, deed: str, place: str, tear: Callable[[], object] | None) -> None:
        self._busy = True
        try:
            if threading.get_ident() != self._thread:
                self._show(place)
            if tear is not None and deed == "SIGKILL":
                tear()
            if deed in DEEDS:
                DEEDS[deed](Path(self._inside[0]))
            else:
                os.kill(os.getpid(), getattr(signal, deed))
        finally:
            self._busy = False

    def _show(self, place: str) -> None:
        self._board[:] = place.encode().ljust(SIGNS, b"\0")

    @contextmanager
    def _being(self, place: str) -> Iterator[None]:
        self._places.append(place)
        self._show(place)
        try:
            yield
        finally:
            self._places.pop()
            self._show(self._places[-1])

    def _at(
        self, place: str, name: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        if threading.get_ident() != self._thread or os.getpid() != self._process:
            return function(*args, **kwargs)
        measuring = place == "validation" and self._places[-1] == "evaluation"
        with self._being("evaluation" if measuring else place):
            self.event(f"before {name}")
            answer = function(*args, **kwargs)
            self.event(f"after {name}")
            return answer

    def _before(self, kind: str, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.event(kind)
        return function(*args, **kwargs)

    def _file(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            inside = self._concerns(args[0], kwargs.get("dir_fd"))
            if inside:
                self.event(f"before os.{name}")
            answer = function(*args, **kwargs)
            if inside:
                self.event(f"after os.{name}")
            return answer

        return call

    def _tensors(
        self, function: Callable[..., Any], tensors: Any, filename: Any, **kwargs: Any
    ) -> Any:
        self.event("before tensors")
        answer = function(tensors, filename, **kwargs)
        half = Path(filename).stat().st_size // 2
        self.event("tensors half written", lambda: os.truncate(filename, half))
        return answer

    def _line(self, function: Callable[..., Any], journal: Any, line: Any) -> None:
        before = journal.path.stat().st_size if journal.path.exists() else 0
        function(journal, line)
        half = (before + journal.path.stat().st_size) // 2
        with self._being("journal"):
            self.event("line half written", lambda: os.truncate(journal.path, half))

    def _heard(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "open" and not self._busy and self._concerns(args[0], None):
            self.event("open to write" if (args[2] or 0) & OPENED else "open to read")
        elif event == "shutil.rmtree" and self._concerns(args[0], None):
            self.event("before rmtree")

    def _concerns(self, path: Any, folder: int | None) -> bool:
        with suppress(OSError, ValueError, TypeError):
            if isinstance(path, int):
                path = Path(f"/proc/self/fd/{path}").readlink()
            elif folder is not None and folder >= 0:
                path = Path(f"/proc/self/fd/{folder}").readlink()
            return os.fsdecode(path).startswith(self._inside)
        return False


def _wrap(target: str, around: Callable[..., Any]) -> None:
    """Put ``around(function, ...)`` in the place of ``module:name`` or ``module:Class.name``
    everywhere."""
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *holders, name = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    if name not in vars(owner):
        raise LookupError(f"{target} is not there any more; name in {__file__} what took its place")
    found = vars(owner)[name]
    plain = getattr(found, "__func__", found)

    @functools.wraps(plain)
    def call(*args: Any, **kwargs: Any) -> Any:
        return around(plain, *args, **kwargs)

    setattr(owner, name, classmethod(call) if isinstance(found, classmethod) else call)
    for other in [] if holders else list(sys.modules.values()):
        if vars(other).get(name) is found:
            setattr(other, name, call)


def _fill_disk(folder: Path) -> None:
    """Leave no byte free where ``folder`` lies; only for a disk of the test's own."""
    with suppress(OSError), (folder.parent / "ballast").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def _refuse_writing(folder: Path) -> None:
    """From now on tensors are written half, as a full disk leaves them."""
    import safetensors.torch

    write = safetensors.torch.serialize_file

    def refuse(tensors: Any, filename: Any, **kwargs: Any) -> None:
        write(tensors, filename, **kwargs)
        os.truncate(filename, Path(filename).stat().st_size // 2)
        raise OSError(28, "No space left on device", str(filename))

    safetensors.torch.serialize_file = refuse


DEEDS: dict[str, Callable[[Path], object]] = {
    "fill the disk": _fill_disk,
    "refuse writing": _refuse_writing,
    "remove the folder": shutil.rmtree,
}
"""What may be done to a process besides signals, by name; each gets the run's folder."""


def clean(board: Path) -> None:
    """Make a board on which nothing is written yet."""
    board.write_bytes(bytes(SIGNS))


def where(board: Path) -> str:
    """The place that a process was in last."""
    return board.read_bytes().rstrip(b"\0").decode() or BETWEEN


def keep_census(watch: Watch, path: Path) -> None:
    """Write down all events of a life that ended by itself."""
    path.write_text(json.dumps(watch.seen), encoding="utf-8")
