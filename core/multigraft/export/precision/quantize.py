"""Quantise an fp32 graph to int8, in the way that suits the backbone.

Dynamic: weights int8 per channel, activations measured in each call; for transformers. Static: the
ranges of activations are measured once on training rows; for convolutions. Hybrid: both, each for
its kind of layer; for transformers that read through convolutions, as wav2vec2 does.

Weights take 7 of the 8 bits. A processor without VNNI (or ARM's dot product) adds two products of
uint8 and int8 in 16 bits, where two of full range saturate: a graph that one machine has accepted
would answer otherwise on another, and say nothing. With |weight| <= 64 no sum does, on any machine,
in any program that opens the file.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import onnx

from multigraft.contracts.types import Arrays, Quantization
from multigraft.errors import ExportError
from multigraft.export.graph.storage import delete, is_large, save, size_of
from multigraft.export.graph.surgery import (
    depthwise,
    float_nodes,
    fold_transposed,
    inner_convolutions,
    product_share,
    shrink_embeddings,
    tables,
    thin_products,
    titles,
)
from multigraft.system.libraries import onnxruntime

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


Way = Literal["dynamic", "static", "hybrid"]
MATRICES, CONVOLUTIONS = ("MatMul", "Gemm"), ("Conv",)


class CannotQuantize(ExportError):
    """A graph that has no int8 form worth measuring."""


Batches = Callable[[], Iterator[Arrays]]
"""Draws the calibration batches anew."""


@dataclass(frozen=True)
class Prepared:
    """A graph made ready once, of which int8 graphs are written with other layers left in float."""

    way: Way
    path: Path
    layers: tuple[str, ...]
    """What can become int8: nodes with weights, and embedding tables; in graph order."""
    titles: Mapping[str, str]
    """What people know a node by: the module that it came from."""

    @property
    def ranges(self) -> Path:
        """The ranges of activations, kept from the first static graph for the next ones."""
        return self.path.with_name("ranges.json")

    def named(self, layers: Iterable[str]) -> tuple[str, ...]:
        """Layers as people know them."""
        return tuple(dict.fromkeys(self.titles.get(name, name) for name in layers))


def ways(quantization: Quantization, source: Path) -> tuple[Way, ...]:
    """Ways of quantising to try, one after another, until one is accepted.

    A backbone quantised statically is tried dynamically next, where most of its weights are in
    matrix products all the same (a vision transformer, a ConvNeXt). One quantised dynamically is
    tried as a hybrid first, where it has convolutions that a dynamic graph would leave in float.
    """
    if quantization == "none":
        return ()
    graph = onnx.load(source, load_external_data=False).graph
    if quantization == "static":
        return ("static", "dynamic") if product_share(graph) > 0.5 else ("static",)
    return ("hybrid", "dynamic") if inner_convolutions(graph) else ("dynamic",)


def impossible(quantization: Quantization, source: Path) -> str | None:
    """Why a graph has no int8 form, whatever rows it could be measured on; None where it has
    one."""
    chosen = ways(quantization, source)
    if not chosen:
        return "its backbone is not meant to be quantised"
    if chosen != ("static",):
        return None
    return _fragile(onnx.load(source, load_external_data=False).graph)


def prepare(source: Path, folder: Path, way: Way) -> Prepared:
    """Make a graph ready in an empty folder. Raises CannotQuantize for depthwise convolutions."""
    path = folder / "prepared.onnx"
    with _muted():
        if way == "static":
            _infer_shapes(source, path)
            graph = onnx.load(path, load_external_data=False).graph
            return Prepared(way, path, _static_layers(graph), titles(graph))
        model = onnx.load(source)
        fold_transposed(model)
        save(model, path)
        if way == "hybrid":
            _infer_shapes(path, path)
        return Prepared(way, path, _dynamic_layers(model.graph, way), titles(model.graph))


def write(
    prepared: Prepared, target: Path, batches: Batches, *, floats: Collection[str] = ()
) -> None:
    """Write the int8 graph, ``floats`` left in float; the first static one draws batches."""
    delete(target)
    with _muted():
        if prepared.way == "dynamic":
            _dynamic(prepared.path, target, floats)
        elif prepared.way == "static":
            graph = onnx.load(prepared.path, load_external_data=False).graph
            kept = [*float_nodes(graph), *floats]
            _static(prepared, target, batches, kinds=STATIC_TYPES, without=kept)
        else:
            _hybrid(prepared, target, batches, floats)


def quantize(source: Path, target: Path, way: Way, batches: Iterator[Arrays]) -> None:
    """Write the int8 graph of ``source``, every layer in int8. Raises CannotQuantize."""
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".quantize-") as folder:
        write(prepare(source, Path(folder), way), target, lambda: batches)


def _weighted(graph: onnx.GraphProto, kinds: tuple[str, ...]) -> list[str]:
    """The nodes of those kinds that have constant weights."""
    constants = {weight.name for weight in graph.initializer}
    return [
        node.name for node in graph.node if node.op_type in kinds and node.input[1] in constants
    ]


def _static_layers(graph: onnx.GraphProto) -> tuple[str, ...]:
    """In graph order. Raises CannotQuantize."""
    if refused := _fragile(graph):
        raise CannotQuantize(refused)
    floats = set(float_nodes(graph))
    weighted = _weighted(graph, (*CONVOLUTIONS, *MATRICES))
    return tuple(name for name in weighted if name not in floats)


def _fragile(graph: onnx.GraphProto) -> str | None:
    """Why no static int8 graph is made; None where one may be."""
    count = len(depthwise(graph))
    if not count:
        return None
    several = "s" * (count > 1)
    return (
        f"it has {count} depthwise convolution{several}, whose few weights a channel do not "
        "survive int8"
    )


def _dynamic_layers(graph: onnx.GraphProto, way: Way) -> tuple[str, ...]:
    convolutions = inner_convolutions(graph) if way == "hybrid" else []
    chosen = {*_weighted(graph, MATRICES), *convolutions} - set(thin_products(graph))
    return (*tables(graph), *(node.name for node in graph.node if node.name in chosen))


def _dynamic(prepared: Path, target: Path, floats: Collection[str]) -> None:
    quantization, model = onnxruntime("quantization"), onnx.load(prepared)
    floats = [*floats, *thin_products(model.graph)]
    shrink_embeddings(model, spared=floats)
    quantization.quantize_dynamic(
        model,
        target,
        op_types_to_quantize=list(MATRICES),
        per_channel=True,
        reduce_range=True,
        weight_type=quantization.QuantType.QInt8,
        # a Gemm becomes a MatMul of this other name before nodes are left out
        nodes_to_exclude=[*floats, *(f"{name}_MatMul" for name in floats)],
        use_external_data_format=is_large(size_of(prepared)),
    )


def _infer_shapes(source: Path, prepared: Path) -> None:
    """Infer every shape; optimising would forget which module a node came from."""
    onnxruntime("quantization.shape_inference").quant_pre_process(
        str(source),
        str(prepared),
        skip_optimization=True,
        skip_symbolic_shape=True,
        save_as_external_data=is_large(size_of(source)),
    )


def _static(
    prepared: Prepared,
    target: Path,
    batches: Batches,
    *,
    kinds: Sequence[str],
    without: Sequence[str],
) -> None:
    quantization = onnxruntime("quantization")
    graph = onnx.load(prepared.path, load_external_data=False).graph
    quantization.quantize_static(
        prepared.path,
        target,
        _Calibration(batches(), [port.name for port in graph.input]),
        quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=list(kinds),
        nodes_to_exclude=list(without),
        per_channel=True,
        reduce_range=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
        use_external_data_format=is_large(size_of(prepared.path)),
        calibration_cache_path=prepared.ranges,
    )


def _hybrid(prepared: Prepared, target: Path, batches: Batches, floats: Collection[str]) -> None:
    """Quantise convolutions by calibrated ranges, then matrix products by each call's."""
    graph = onnx.load(prepared.path, load_external_data=False).graph
    inner = set(inner_convolutions(graph)) - set(floats)
    others = [
        node.name for node in graph.node if node.op_type in CONVOLUTIONS and node.name not in inner
    ]
    if not inner:
        _dynamic(prepared.path, target, floats)
        return
    half = prepared.path.with_name("convolutions.onnx")
    _static(prepared, half, batches, kinds=CONVOLUTIONS, without=others)
    _dynamic(half, target, floats)
    delete(half)


class _Calibration:
    """One batch at a time, so that memory does not grow with the rows; the graph keeps minima and
    maxima.

    A `CalibrationDataReader` of onnxruntime's by its method.
    """

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
    # without any handler `logging.warning` would install one for good
    handler = logging.NullHandler()

    def foreign(record: logging.LogRecord) -> bool:
        return "onnxruntime" not in Path(record.pathname).parts

    root.addHandler(handler)
    root.addFilter(foreign)
    try:
        yield
    finally:
        root.removeFilter(foreign)
        root.removeHandler(handler)
