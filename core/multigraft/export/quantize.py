"""From an fp32 graph to an int8 one, in the way that suits the backbone.

Dynamic: weights int8 per channel, activations measured in each call; for transformers. Static: the ranges of
activations are measured once on training rows; for convolutions. uint8 activations with int8 weights need a
processor with VNNI (or ARM's dot product) to be exact: older ones saturate, and the gate should be run there.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from multigraft.errors import ExportError
from multigraft.export.storage import delete, is_large, save, size_of
from multigraft.export.surgery import (
    depthwise,
    float_nodes,
    fold_transposed,
    product_share,
    shrink_embeddings,
    tables,
    titles,
)
from multigraft.records import Arrays, Quantization

STATIC_TYPES = (
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Relu",
    "Clip",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "Concat",
    "Reshape",
    "Flatten",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
)
"""What a static graph computes in int8; everything else stays float."""


class CannotQuantize(ExportError):
    """A graph that has no int8 form worth measuring."""


Batches = Callable[[], Iterator[Arrays]]
"""Draws the calibration batches anew."""


@dataclass(frozen=True)
class Prepared:
    """A graph made ready once, of which int8 graphs are written with other layers left in float."""

    way: Quantization
    path: Path
    layers: tuple[str, ...]
    """What can become int8 by itself: the nodes with weights, and the embedding tables; in graph order."""
    titles: Mapping[str, str]
    """What people know a node by: the module that it came from."""

    @property
    def ranges(self) -> Path:
        """The ranges of activations, kept from the first static graph for the next ones."""
        return self.path.with_name("ranges.json")

    def named(self, layers: Iterable[str]) -> tuple[str, ...]:
        """Layers as people know them."""
        return tuple(dict.fromkeys(self.titles.get(name, name) for name in layers))


def ways(quantization: Quantization, source: Path) -> tuple[Quantization, ...]:
    """How to try, one after another, until one is accepted.

    A backbone quantised statically is tried dynamically next, where most of its weights are in matrix
    products all the same (a vision transformer, a ConvNeXt).
    """
    if quantization == "static":
        graph = onnx.load(source, load_external_data=False).graph
        return ("static", "dynamic") if product_share(graph) > 0.5 else ("static",)
    return ("dynamic",) if quantization == "dynamic" else ()


def prepare(source: Path, folder: Path, way: Quantization) -> Prepared:
    """Make a graph ready in an empty folder. Raises CannotQuantize for depthwise convolutions."""
    path = folder / "prepared.onnx"
    with _muted():
        if way == "dynamic":
            model = onnx.load(source)
            fold_transposed(model)
            save(model, path)
            layers = (*tables(model.graph), *_weighted(model.graph, ("MatMul", "Gemm")))
            return Prepared(way, path, layers, titles(model.graph))
        _prepare_static(source, path)
    graph = onnx.load(path, load_external_data=False).graph
    if found := depthwise(graph):
        raise CannotQuantize(
            f"it has {len(found)} depthwise convolution{'s' * (len(found) > 1)}, "
            "whose few weights a channel do not survive int8"
        )
    floats = set(float_nodes(graph))
    weighted = _weighted(graph, ("Conv", "MatMul", "Gemm"))
    return Prepared(way, path, tuple(name for name in weighted if name not in floats), titles(graph))


def write(prepared: Prepared, target: Path, batches: Batches, *, floats: Collection[str] = ()) -> None:
    """Write the int8 graph with the layers ``floats`` left in float; the first static one draws batches."""
    delete(target)
    with _muted():
        if prepared.way == "dynamic":
            _dynamic(prepared.path, target, floats)
        else:
            _static(prepared, target, batches, floats)


def quantize(source: Path, target: Path, way: Quantization, batches: Iterator[Arrays]) -> None:
    """Write the int8 graph of ``source``, every layer in int8. Raises CannotQuantize."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".quantize-") as folder:
        write(prepare(source, Path(folder), way), target, lambda: batches)


def _weighted(graph: onnx.GraphProto, kinds: tuple[str, ...]) -> list[str]:
    """The nodes of those kinds that have constant weights."""
    constants = {weight.name for weight in graph.initializer}
    return [node.name for node in graph.node if node.op_type in kinds and node.input[1] in constants]


def _dynamic(prepared: Path, target: Path, floats: Collection[str]) -> None:
    model = onnx.load(prepared)
    shrink_embeddings(model, spared=floats)
    quantize_dynamic(
        model,
        target,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        reduce_range=False,
        weight_type=QuantType.QInt8,
        # a Gemm becomes a MatMul of this other name before nodes are left out
        nodes_to_exclude=[*floats, *(f"{name}_MatMul" for name in floats)],
        use_external_data_format=is_large(size_of(prepared)),
    )


def _prepare_static(source: Path, prepared: Path) -> None:
    """Infer every shape. Graph optimisation is left out: it forgets which module a node came from."""
    quant_pre_process(
        str(source),
        str(prepared),
        skip_optimization=True,
        skip_symbolic_shape=True,
        save_as_external_data=is_large(size_of(source)),
    )


def _static(prepared: Prepared, target: Path, batches: Batches, floats: Collection[str]) -> None:
    graph = onnx.load(prepared.path, load_external_data=False).graph
    quantize_static(
        prepared.path,
        target,
        _Calibration(batches(), [port.name for port in graph.input]),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(STATIC_TYPES),
        nodes_to_exclude=[*float_nodes(graph), *floats],
        per_channel=True,
        reduce_range=False,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=is_large(size_of(prepared.path)),
        calibration_cache_path=prepared.ranges,
    )


class _Calibration(CalibrationDataReader):
    """One batch at a time, so that memory does not grow with the rows; the graph keeps minima and maxima."""

    def __init__(self, batches: Iterator[Arrays], inputs: list[str]) -> None:
        self.batches = batches
        self.inputs = inputs

    def get_next(self) -> Mapping[str, np.ndarray] | None:
        """The next batch, or None after the last."""
        batch = next(self.batches, None)
        return None if batch is None else {name: batch[name] for name in self.inputs}


@contextlib.contextmanager
def _muted() -> Iterator[None]:
    """Keep onnxruntime.quantization's advice, which it sends to the root logger, off the screen."""
    root = logging.getLogger()
    handler = logging.NullHandler()  # without any handler `logging.warning` would install one for good

    def foreign(record: logging.LogRecord) -> bool:
        return "onnxruntime" not in Path(record.pathname).parts

    root.addHandler(handler)
    root.addFilter(foreign)
    try:
        yield
    finally:
        root.removeFilter(foreign)
        root.removeHandler(handler)
