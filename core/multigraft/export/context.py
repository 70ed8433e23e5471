"""Export context: the run, the folder that is being made, and the rows that judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from multigraft.contracts.generation import Generating
from multigraft.data import Rows
from multigraft.export.acceptance.parity import Answers
from multigraft.export.graph.storage import files_of
from multigraft.runs.run import Run
from multigraft.runtime.generation.generator import DECODER, ENCODER
from multigraft.runtime.session import Session

FP32, INT8, FP16 = "fp32", "int8", "fp16"
FILES = {FP32: "model.onnx", INT8: "model.int8.onnx", FP16: "model.fp16.onnx"}
ENCODERS = {FP32: "encoder.onnx", INT8: "encoder.int8.onnx", FP16: "encoder.fp16.onnx"}
"""The second graph of what reads a value before it writes."""


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

    def asked(self, name: str) -> bool:
        """Tell whether the recipe asks for that precision."""
        return name in self.run.recipe.export.precisions

    def graph(self, name: str) -> Path:
        """The file of a precision."""
        return self.folder / FILES[name]

    def paths(self, name: str) -> dict[str, Path]:
        """The graphs of a precision by role: one, or a decoder and its encoder."""
        generating, graphs = self.generating, {DECODER: self.graph(name)}
        if generating is not None and generating.writing.memory:
            graphs[ENCODER] = self.folder / ENCODERS[name]
        return graphs

    def opener(self, name: str, threads: int) -> Callable[[], Answers]:
        """Opens a precision's graph when its turn to be timed comes."""
        return lambda: Session(self.graph(name), threads=threads).run

    def files(self, name: str) -> list[Path]:
        """The files of a precision, with external data."""
        return [file for path in self.paths(name).values() for file in files_of(path)]
