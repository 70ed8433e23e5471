"""One process of a run's life: it starts or goes on, measures and exports, and ends or is struck."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import multigraft as mg
from faults.cases import Case
from faults.watch import Strike, Watch, clean, keep_census, where

PRELOADED = """
    multigraft.engine multigraft.verbs multigraft.export.bundling multigraft.data.formats
    multigraft.runtime.predictor multigraft.tasks.classification multigraft.probing
    multigraft_text.backbone multigraft_text.reader multigraft_text.specs multigraft_text.learning
    multigraft_text.causal multigraft_vision.weights multigraft_vision.plan multigraft_vision.reader
    multigraft_vision.augment multigraft_vision.contrastive multigraft_speech.wav2vec2
    multigraft_speech.logmel multigraft_speech.specs multigraft_speech.augment
    multigraft_speech.contrastive multigraft_speech.reader
    torchmetrics torch._dynamo torch._inductor.config torch.export torch.onnx
    torch.onnx._internal.exporter._core torch.utils.data
    transformers.models.bert.modeling_bert transformers.models.gpt2.modeling_gpt2
    transformers.models.wav2vec2.modeling_wav2vec2 timm.models peft
    onnx onnxscript.optimizer onnxruntime.quantization pyarrow.parquet jinja2 psutil soundfile soxr
    rich.console rich.live rich.progress PIL.ImageFile PIL.PngImagePlugin sympy.combinatorics networkx
    pandas pyarrow.compute pyarrow.pandas_compat sklearn.linear_model sklearn.neighbors
    onnxscript.function_libs.torch_lib.ops transformers.feature_extraction_sequence_utils
""".split()
LIMIT = 240.0
"""Seconds after which a life is taken to hang."""


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
        return [(name, float(at)) for name, at in json.loads(self.census.read_text(encoding="utf-8"))]


@dataclass(frozen=True)
class Fate:
    """What happens to a life that would rather end by itself."""

    strikes: Sequence[Strike] = ()
    """Whichever comes first."""
    after: float | None = None
    """Seconds until it is killed from outside."""
    clock: float = 0.0
    """Seconds by which the wall clock is wrong."""


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
    if process.is_alive():
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert fate.after is not None, f"a life hangs at: {where(room.board)}\n{room.told()[-3000:]}"
    return ended(process, room, time.perf_counter() - began)


def begin(case: Case, data: Path, room: Room, fate: Fate = Fate()) -> Any:
    """Start a life in a process of its own, forked from one that has imported everything."""
    room.root.mkdir(parents=True, exist_ok=True)
    clean(room.board)
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
    import torch

    torch.set_num_threads(1)
    if case.caches:
        _cache_everything()
    if fate.clock:
        _set_clock(fate.clock)
    watch = Watch([room.run, room.cache], room.board, fate.strikes)
    watch.install()
    sys.exit(_watched(case, data, room, watch))


def _watched(case: Case, data: Path, room: Room, watch: Watch) -> int:
    try:
        _work(case, data, room)
    except KeyboardInterrupt as asked:
        print("interrupted:", asked)
        return 128 + getattr(asked, "number", signal.SIGINT)
    except mg.MultigraftError as error:
        print("error:", error)
        return 1
    keep_census(watch, room.census)
    return 0


def _work(case: Case, data: Path, room: Room) -> None:
    """Train to the end, evaluate, export: as much of it as is not done."""
    recipe, record = case.written(data, room.run), room.run / "run.json"
    order = Order(room.root / f"order-{len(room.order()):03d}.jsonl")
    if not record.exists():
        getattr(mg, case.stage)(recipe, plugins=[order])
    elif json.loads(record.read_text(encoding="utf-8"))["state"] != "finished":
        mg.resume(room.run, plugins=[order])
    run = mg.open_run(room.run)
    run.evaluate()
    if case.exports:
        run.export()
        _ask(run, room)


def _ask(run: mg.Run, room: Room) -> None:
    """Note what every precision in the bundle answers; which one it prefers is decided by the clock."""
    bundle, rows = room.run / "bundle", run.rows["train"]
    raws = [rows.raw(index) for index in range(4)]
    held = json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["precisions"]
    accepted = [name for name, entry in held.items() if entry["accepted"]]
    answers = {name: mg.load(bundle, precision=name).predict(raws) for name in accepted}
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
    from multigraft.data import formats, kept
    from multigraft.replay import archive

    formats.LARGE = 0
    kept.TRIAL, kept.SLOW, kept.WORTH = 8, 0.0, 0.0
    archive.PART = 4096


def _set_clock(wrong: float) -> None:
    now, exact = time.time, time.time_ns
    time.time = lambda: now() + wrong
    time.time_ns = lambda: exact() + int(wrong * 1e9)
