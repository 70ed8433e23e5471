"""One process of a run's life: it starts or goes on, measures and exports, and ends or is
struck."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

import multigraft as mg
from faults.cases import Case
from faults.watch import Strike, Watch, clean, keep_census, where
from multigraft.system.libraries import switch_off_reports

PRELOADED = """
    multigraft.engine multigraft.verbs multigraft.export.pipeline multigraft.data.sources.formats
    multigraft.runtime.predictor multigraft.models.tasks.classification multigraft.training.probe
    multigraft_text.backbone multigraft_text.reader multigraft_text.specs multigraft_text.learning
    multigraft_text.causal multigraft_vision.weights multigraft_vision.plan multigraft_vision.reader
    multigraft_vision.augment multigraft_vision.contrastive multigraft_speech.wav2vec2
    multigraft_speech.logmel multigraft_speech.specs multigraft_speech.augment
    multigraft_speech.contrastive multigraft_speech.reader
    torch._dynamo torch._inductor.config torch.export torch.onnx
    torch.onnx._internal.exporter._core torch.utils.data
    transformers.models.bert.modeling_bert transformers.models.gpt2.modeling_gpt2
    transformers.models.wav2vec2.modeling_wav2vec2 timm.models peft
    onnx onnxscript.optimizer onnxruntime.quantization pyarrow.parquet jinja2 psutil soundfile soxr
    rich.console rich.live rich.progress PIL.ImageFile PIL.PngImagePlugin sympy.combinatorics
    networkx
    pandas pyarrow.compute pyarrow.pandas_compat sklearn.linear_model sklearn.neighbors
    onnxscript.function_libs.torch_lib.ops transformers.feature_extraction_sequence_utils
""".split()
LIMIT = 240.0
"""Seconds after which a life is taken to hang."""
LEFT_ALONE = (
    "another process of this training has ended",
    "processes of this training did not meet",
)
"""What a process says that leaves since the other one is not there any more, or never came."""
LAUNCHER = 30.0
"""Seconds after which torchrun ends the processes of a training of which one has ended."""


@dataclass(frozen=True)
class Room:
    """The folders of one run: its own, its cache's, and what the harness notes beside."""

    root: Path
    disk: Path | None = None
    """Where the run's own folder lies, if not beside the others."""

    @property
    def run(self) -> Path:
        """The run's folder."""
        return (self.disk or self.root) / "run"

    @property
    def cache(self) -> Path:
        """The machine's cache as this run sees it."""
        return self.root / "cache"

    @property
    def board(self) -> Path:
        """Where the process was last."""
        return self.root / "board"

    @property
    def census(self) -> Path:
        """The events of the last life that ended by itself."""
        return self.root / "census.json"

    @property
    def second(self) -> Path:
        """Which process is the second of a life."""
        return self.root / "second"

    @property
    def log(self) -> Path:
        """What all lives said."""
        return self.root / "life.log"

    @property
    def answers(self) -> Path:
        """What the bundle answered."""
        return self.root / "answers.json"

    def order(self) -> list[Path]:
        """The rows of every step, a file for each life."""
        return sorted(self.root.glob("order-*.jsonl"))

    def told(self) -> str:
        """The log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def events(self) -> list[tuple[str, float]]:
        """The events of the last life that ended by itself, with their seconds."""
        return [
            (name, float(at)) for name, at in json.loads(self.census.read_text(encoding="utf-8"))
        ]


@dataclass(frozen=True)
class Fate:
    """What happens to a life that would rather end by itself."""

    strikes: Sequence[Strike] = ()
    """Whichever comes first."""
    after: float | None = None
    """Seconds until it is killed from outside."""
    clock: float = 0.0
    """Seconds by which the wall clock is wrong."""
    second: bool = False
    """Whether it is the second of the processes that is killed from outside."""
    memory: int | None = None
    """Bytes that it may allocate besides what is there at its beginning."""


@dataclass(frozen=True)
class End:
    """How a life ended."""

    code: int
    """As `multiprocessing` gives it: 0, or a signal's number below zero."""
    place: str
    seconds: float
    process: int

    @property
    def killed(self) -> bool:
        """Whether it was SIGKILL."""
        return self.code == -signal.SIGKILL


def live(case: Case, data: Path, room: Room, fate: Fate = Fate()) -> End:
    """Let one life pass. Raises AssertionError where it hangs."""
    process = begin(case, data, room, fate)
    began = time.perf_counter()
    process.join(LIMIT if fate.after is None else fate.after)
    struck = fate.second and process.is_alive() and _strike_second(room)
    process.join(LIMIT if struck else 0)
    if process.is_alive():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        hangs = fate.after is None or struck
        assert not hangs, f"a life hangs at: {where(room.board)}\n{room.told()[-3000:]}"
    if case.processes > 1:
        _await_group(process.pid)
    end = ended(process, room, time.perf_counter() - began)
    alone = struck and end.code == 1 and any(words in room.told() for words in LEFT_ALONE)
    return replace(end, code=-signal.SIGKILL) if alone else end


def _strike_second(room: Room) -> bool:
    """Kill the second process of a life; whether there was one to kill."""
    try:
        os.kill(int(room.second.read_text()), signal.SIGKILL)
    except (OSError, ValueError):
        return False
    return True


def _await_group(leader: int) -> None:
    """Wait until all processes of a life have ended, and after a while end them, as their launcher
    does.

    One that waits for another which died before they met leaves by itself only after minutes.
    """
    deadline = time.monotonic() + LAUNCHER
    while left := [process for process in psutil.pids() if _is_alive(process, leader)]:
        if time.monotonic() > deadline:
            for process in left:
                with suppress(OSError):
                    os.kill(process, signal.SIGKILL)
        time.sleep(0.02)


def _is_alive(process: int, group: int) -> bool:
    try:
        return (
            os.getpgid(process) == group
            and psutil.Process(process).status() != psutil.STATUS_ZOMBIE
        )
    except (psutil.Error, OSError):
        return False


def begin(case: Case, data: Path, room: Room, fate: Fate = Fate()) -> Any:
    """Start a life in a process of its own, forked from one that has imported everything."""
    room.root.mkdir(parents=True, exist_ok=True)
    room.second.unlink(missing_ok=True)
    clean(room.board)
    switch_off_reports()  # what is loaded beforehand includes onnxruntime
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    process = context.Process(target=_live, args=(case, data, room, fate))
    process.start()
    return process


def ended(process: Any, room: Room, seconds: float) -> End:
    """The end of a process that was waited for."""
    return End(process.exitcode, where(room.board), seconds, process.pid)


def _live(case: Case, data: Path, room: Room, fate: Fate) -> None:
    """The process: its output goes to the room's log, and its group is its own."""
    os.setsid()
    with room.log.open("ab", buffering=0) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr, force=True)
    os.environ.update(MULTIGRAFT_CACHE=str(room.cache), OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")
    verb, rank = _verb(case, room), _join(case.processes, room)
    import torch

    torch.set_num_threads(case.threads)
    if rank:
        sys.exit(_guarded(lambda: _work(case, data, room, verb, rank)))
    if case.caches:
        _cache_everything()
    if fate.clock:
        _set_clock(fate.clock)
    if fate.memory is not None:
        _limit_memory(fate.memory)
    watch = Watch([room.run, room.cache], room.board, fate.strikes)
    watch.install()
    code = _guarded(lambda: _work(case, data, room, verb, rank))
    if not code:
        keep_census(watch, room.census)
    sys.exit(code)


def _join(processes: int, room: Room) -> int:
    """Become as many processes as train together, in one group; the rank of this one."""
    rank = 0
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), WORLD_SIZE=str(processes))
        child = os.fork()
        rank = 0 if child else 1
        if child:
            room.second.write_text(str(child))
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    return rank


def _guarded(work: Callable[[], object]) -> int:
    """Do it; the exit code."""
    try:
        work()
    except KeyboardInterrupt as asked:
        print("interrupted:", asked)
        return 128 + getattr(asked, "number", signal.SIGINT)
    except mg.MultigraftError as error:
        print("error:", error)
        return 1
    return 0


def _verb(case: Case, room: Room) -> str | None:
    """What is left of the training, as all processes of this life see it."""
    record = room.run / "run.json"
    if not record.exists():
        return case.stage
    return (
        "resume" if json.loads(record.read_text(encoding="utf-8"))["state"] != "finished" else None
    )


def _work(case: Case, data: Path, room: Room, verb: str | None, rank: int) -> None:
    """Train to the end, evaluate, export: as much of it as is not done."""
    recipe = case.written(data, room.run)
    plugins = [] if rank else [Order(room.root / f"order-{len(room.order()):03d}.jsonl")]
    if verb is not None:
        getattr(mg, verb)(room.run if verb == "resume" else recipe, plugins=plugins)
    run = mg.open_run(room.run)
    run.evaluate()
    if case.exports:
        run.export()
        _ask(run, room)


def _ask(run: mg.Run, room: Room) -> None:
    """Note what every precision in the bundle answers for a row alone.

    Which one it prefers, and how many rows it computes together, is decided by the clock; sums of
    floats follow from the latter in their last bit.
    """
    bundle, rows = room.run / "bundle", run.rows["train"]
    raws = [rows.raw(index) for index in range(4)]
    held = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["precisions"]
    accepted = [name for name, entry in held.items() if entry["accepted"]]
    loaded = {name: mg.load(bundle, precision=name) for name in accepted}
    answers = {name: [each.predict(raw) for raw in raws] for name, each in loaded.items()}
    room.answers.write_text(json.dumps(answers, default=str), encoding="utf-8")


class Order:
    """A plugin that writes down which rows each step was made of."""

    def __init__(self, path: Path) -> None:
        from multigraft.training.step import Gradient

        self._path = path
        self._rows: list[list[int]] = []
        compute = Gradient.compute

        def noted(gradient: Any, batches: Any, pieces: int) -> Any:
            self._rows = [rows.tolist() for rows, _ in batches]
            self._sums = [zlib.crc32(b"".join(_bytes(batch))) for _, batch in batches]
            return compute(gradient, batches, pieces)

        Gradient.compute = noted  # type: ignore[method-assign]

    @mg.hookimpl
    def step_end(self, run: mg.Run, step: int, logs: Mapping[str, float]) -> None:
        """Write a line for the step."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([step, self._rows, self._sums, logs["loss"]]) + "\n")


def _bytes(batch: Mapping[str, Any]) -> list[bytes]:
    return [batch[name].contiguous().numpy().tobytes() for name in sorted(batch)]


def _cache_everything() -> None:
    """Let the smallest data go the way of the largest."""
    from multigraft.data.cache import decoded_rows
    from multigraft.data.sources import formats
    from multigraft.training.replay import archive

    formats.LARGE = 0
    decoded_rows.TRIAL, decoded_rows.SLOW, decoded_rows.WORTH = 8, 0.0, 0.0
    archive.PART = 4096


def _set_clock(wrong: float) -> None:
    now, exact = time.time, time.time_ns
    time.time = lambda: now() + wrong
    time.time_ns = lambda: exact() + int(wrong * 1e9)


def _limit_memory(spare: int) -> None:
    """Let this process allocate so many bytes more; AVX-512, whose kernels crash then, is off."""
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + spare
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
