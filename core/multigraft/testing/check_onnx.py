"""Checks of a backbone as an ONNX graph: it answers as the model does, also in int8."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective, Outputs, RowLoss
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.errors import ExportError
from multigraft.export.acceptance.parity import cases, check_parity
from multigraft.export.graph.trace import Served, export_graph
from multigraft.export.precision.quantize import CannotQuantize, quantize, ways
from multigraft.models.graft import Graft
from multigraft.runtime.session import Session
from multigraft.testing.checks import Skipped
from multigraft.testing.untrained import Grown, grow
from multigraft.testing.workbench import Subject

ROWS = 5
OPSET = 20
ALIKE = 0.9
"""The least mean cosine between the features of the float graph and those of the int8 one."""


class Pooled(Objective):
    """Serves the pooled features."""

    monitor = "loss"
    greater_is_better = False

    def head(self) -> nn.Module:
        """None is trained."""
        return nn.Identity()

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """There is none: raises TypeError."""
        raise TypeError("features that are only served have no loss")


@dataclass(frozen=True)
class Graph:
    """A backbone's float graph, and what it was made from."""

    path: Path
    served: Served
    rows: list[Arrays]


def graph(subject: Subject) -> Iterator[str]:
    """Check that the graph answers as the model: alone, batched, padded and at other lengths."""
    made = _graph(subject)
    grown = grow(subject.bench, subject.record)
    lengths = [grown.reader.length(row) for row in made.rows]
    places = [f"sample {number}" for number in range(len(made.rows))]
    trials = cases(made.rows, lengths, places, grown.reader.fills)
    try:
        check_parity(
            made.served.answer, Session(made.path, threads=1).run, trials, grown.reader.fills
        )
    except ExportError as error:
        yield str(error)


def int8(subject: Subject) -> Iterator[str]:
    """Check that the int8 graph, made as `quantization` says, gives features of like direction."""
    record = subject.record
    if record.quantization == "none":
        raise Skipped("quantization is 'none'")
    made = _graph(subject)
    fills = grow(subject.bench, record).reader.fills
    target = made.path.with_name("int8.onnx")
    way = ways(record.quantization, made.path)[0]
    try:
        quantize(made.path, target, way, iter([collate([row], fills) for row in made.rows]))
    except CannotQuantize as error:
        raise Skipped(f"it has no int8 form: {error}") from error
    expected, found = (
        np.concatenate(
            [Session(path, threads=1).run(collate([row], fills))["embedding"] for row in made.rows]
        )
        for path in (made.path, target)
    )
    if not np.isfinite(found).all():
        yield f"the {way} int8 graph gives numbers that are not finite"
        return
    norms = np.linalg.norm(expected, axis=1) * np.linalg.norm(found, axis=1)
    alike = float(((expected * found).sum(1) / np.maximum(norms, 1e-12)).mean())
    if alike < ALIKE:
        yield f"the {way} int8 graph's features have a cosine of {alike:.2f} with the float ones"


def _graph(subject: Subject) -> Graph:
    made: Graph = subject.bench.once(
        ("graph", subject.record.name),
        lambda: _export(subject, grow(subject.bench, subject.record)),
    )
    return made


def _export(subject: Subject, grown: Grown) -> Graph:
    rows = [grown.reader.read(raw) for raw in grown.raws[:ROWS]]
    rows.sort(key=grown.reader.length)
    served = Served(
        Graft(grown.module, nn.Identity()), Pooled(), tuple(rows[0]), with_head=False
    ).eval()
    path = subject.bench.room("graph", subject.record.name) / "model.onnx"
    export_graph(served, [rows[-1], rows[0]], grown.reader.fills, path, opset=OPSET)
    return Graph(path, served, rows)
