"""Export context: the run, the folder that is being made, and the rows that judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from multigraft.contracts.generation import Generating
from multigraft.contracts.types import Quantization
from multigraft.data import Rows
from multigraft.export.acceptance.parity import Answers
from multigraft.export.graph.storage import files_of
from multigraft.runs.run import Run
from multigraft.runtime.branches import BranchSession
from multigraft.runtime.generation.generator import DECODER, ENCODER
from multigraft.runtime.session import Session

FP32, INT8, FP16 = "fp32", "int8", "fp16"
FILES = {FP32: "model.onnx", INT8: "model.int8.onnx", FP16: "model.fp16.onnx"}
ENCODERS = {FP32: "encoder.onnx", INT8: "encoder.int8.onnx", FP16: "encoder.fp16.onnx"}
"""The second graph of what reads a value before it writes."""
HEAD = ""
"""The role of a graph behind those of branches, whose roles are their names."""


@dataclass(frozen=True)
class ExportContext:
    """Context of one export: all that its steps are given."""

    run: Run
    folder: Path
    """Where the bundle is made."""
    split: str | None
    """The held-out rows that judge; None where there are none."""

    @property
    def rows(self) -> Rows:
        """The rows that are compared and timed: held-out ones, else those of training."""
        return self.run.rows[self.split or "train"]

    @property
    def held_out(self) -> int:
        """Number of held-out rows."""
        return len(self.rows) if self.split else 0

    @property
    def generating(self) -> Generating | None:
        """Generation of tokens by the model; None where it answers in one step."""
        return self.run.objective.generating(self.run.graft.head)

    @property
    def quantization(self) -> Quantization:
        """How the one backbone becomes int8; what reads for a branch that writes, dynamically,
        since it holds matrix products of a decoder."""
        branches = self.run.resolved.branches
        return branches[""].backbone.quantization if "" in branches else "dynamic"

    def asked(self, name: str) -> bool:
        """Tell whether the recipe asks for that precision."""
        return name in self.run.recipe.export.precisions

    def graph(self, name: str) -> Path:
        """The file of a precision."""
        return self.folder / FILES[name]

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches, each of which has a graph, and the head one; none where there is one graph
        of all, as where one of them writes."""
        return () if self.run.resolved.writer else tuple(self.run.graft.branches)

    @property
    def main(self) -> str:
        """The role of the graph that answers: a head of branches, or a decoder."""
        return HEAD if self.branches else DECODER

    def targets(self, name: str) -> dict[str, Path]:
        """Where the graphs of a precision are written, by role: one, or a decoder and its encoder,
        or a head and its branches."""
        if self.branches:
            ending = FILES[name].removeprefix("model")
            own = {branch: self.folder / f"branch-{branch}{ending}" for branch in self.branches}
            return {HEAD: self.graph(name), **own}
        generating, graphs = self.generating, {DECODER: self.graph(name)}
        if generating is not None and generating.writing.memory:
            graphs[ENCODER] = self.folder / ENCODERS[name]
        return graphs

    def paths(self, name: str) -> dict[str, Path]:
        """The graphs of a precision by role; of branches fp32's where it has none of its own."""
        found = self.targets(name)
        if not self.branches:
            return found
        fp32 = self.targets(FP32)
        return {role: path if path.exists() else fp32[role] for role, path in found.items()}

    def session(self, name: str, *, threads: int | None = None) -> Session | BranchSession:
        """A precision's graphs, opened."""
        if not self.branches:
            return Session(self.graph(name), threads=threads)
        opened = {role: Session(path, threads=threads) for role, path in self.paths(name).items()}
        head = opened.pop(HEAD)
        return BranchSession(opened, head)

    def opener(self, name: str, threads: int) -> Callable[[], Answers]:
        """Opens a precision's graphs when its turn to be timed comes."""
        return lambda: self.session(name, threads=threads).run

    def files(self, name: str) -> list[Path]:
        """The files of a precision, with external data; none where it has no graph of its own."""
        if not any(path.exists() for path in self.targets(name).values()):
            return []
        return [file for path in self.paths(name).values() for file in files_of(path)]
