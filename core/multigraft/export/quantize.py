"""From an fp32 graph to an int8 one, in the way that suits the backbone.

Dynamic: weights int8 per channel, activations measured in each call; for transformers. Static: the ranges of
activations are measured once on training rows; for convolutions. uint8 activations with int8 weights need a
processor with VNNI (or ARM's dot product) to be exact: older ones saturate, and the gate should be run there.
"""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Iterator, Mapping
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
from multigraft.export.graph import INLINE_LIMIT
from multigraft.export.surgery import (
    depthwise,
    float_nodes,
    fold_transposed,
    product_share,
    shrink_embeddings,
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


def ways(quantization: Quantization, source: Path) -> tuple[Quantization, ...]:
    """How to try, one after another, until one is accepted.

    A backbone quantised statically is tried dynamically next, where most of its weights are in matrix
    products all the same (a vision transformer, a ConvNeXt).
    """
    if quantization == "static":
        graph = onnx.load(source, load_external_data=False).graph
        return ("static", "dynamic") if product_share(graph) > 0.5 else ("static",)
    return ("dynamic",) if quantization == "dynamic" else ()


def quantize(source: Path, target: Path, way: Quantization, batches: Iterator[Arrays]) -> None:
    """Write the int8 graph of ``source``; only ``static`` draws from ``batches``, one at a time.

    Raises CannotQuantize where depthwise convolutions rule it out.
    """
    with _muted(), tempfile.TemporaryDirectory(dir=target.parent, prefix=".quantize-") as folder:
        prepared = Path(folder) / "prepared.onnx"
        if way == "dynamic":
            _prepare_dynamic(source, prepared)
            _dynamic(prepared, target)
        else:
            _prepare_static(source, prepared)
            _static(prepared, target, batches)


def _prepare_dynamic(source: Path, prepared: Path) -> None:
    model = onnx.load(source)
    fold_transposed(model)
    shrink_embeddings(model)
    _save(model, prepared)


def _dynamic(prepared: Path, target: Path) -> None:
    quantize_dynamic(
        prepared,
        target,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        reduce_range=False,
        weight_type=QuantType.QInt8,
        use_external_data_format=_is_large(prepared),
    )


def _prepare_static(source: Path, prepared: Path) -> None:
    """Infer every shape. Graph optimisation is left out: it forgets which module a node came from."""
    quant_pre_process(
        str(source),
        str(prepared),
        skip_optimization=True,
        skip_symbolic_shape=True,
        save_as_external_data=_is_large(source),
    )


def _static(prepared: Path, target: Path, batches: Iterator[Arrays]) -> None:
    graph = onnx.load(prepared, load_external_data=False).graph
    if found := depthwise(graph):
        raise CannotQuantize(
            f"it has {len(found)} depthwise convolution{'s' * (len(found) > 1)}, "
            "whose few weights a channel do not survive int8"
        )
    quantize_static(
        prepared,
        target,
        _Calibration(batches, [port.name for port in graph.input]),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=list(STATIC_TYPES),
        nodes_to_exclude=float_nodes(graph),
        per_channel=True,
        reduce_range=False,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        use_external_data_format=_is_large(prepared),
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


def _save(model: onnx.ModelProto, path: Path) -> None:
    large = sum(len(weight.raw_data) for weight in model.graph.initializer) > INLINE_LIMIT
    onnx.save(model, path, save_as_external_data=large, location=f"{path.name}.data" if large else None)


def _is_large(path: Path) -> bool:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) > INLINE_LIMIT


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
