"""Strided convolution over one channel as a product of frames, with the channels last.

The first layer of a network that reads waveforms has one channel and filters of a few samples.
Where a layer norm over the channels follows, torch exports the convolution and a transpose of its
large output, which takes longer than the convolution: on a wav2vec2 3.2 ms against 1.3. A product
of frames with the filters gives the same numbers in the order that is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from multigraft.export.graph.rewrites.index import Index
from multigraft.export.graph.surgery import attribute, drop_unused

CHANNELS_LAST = [0, 2, 1]
END = np.iinfo(np.int64).max


@dataclass(frozen=True)
class _Filters:
    """A convolution and the transpose of what it makes."""

    convolution: NodeProto
    transpose: NodeProto
    weight: np.ndarray
    """[channels, 1, samples]."""
    stride: int

    @property
    def strides(self) -> int:
        """How many strides long a filter is."""
        return int(self.weight.shape[2]) // self.stride


def frame_waveforms(model: ModelProto) -> int:
    """Rewrite what can be, in place: how many products were made."""
    graph = model.graph
    found = list(_found(Index(graph)))
    made: dict[int, list[NodeProto]] = {id(each.convolution): [] for each in found}
    for each in found:
        made[id(each.transpose)] = list(_nodes(each))
        graph.initializer.extend(_constants(each))
    nodes = [new for node in graph.node for new in made.get(id(node), [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    drop_unused(graph)
    return len(found)


def _found(index: Index) -> Iterator[_Filters]:
    for node in [node for node in index.made.values() if node.op_type == "Conv"]:
        weight, after = index.constant(node.input[1]), index.only_reader(node.output[0])
        if weight is None or weight.ndim != 3 or weight.shape[1] != 1 or after is None:
            continue
        stride = _stride(node, weight.shape[2])
        if (
            stride
            and after.op_type == "Transpose"
            and attribute(after, "perm", None) == CHANNELS_LAST
        ):
            yield _Filters(node, after, weight, stride)


def _stride(convolution: NodeProto, samples: int) -> int:
    """Its stride; 0 where it pads or dilates, or a filter is no whole number of strides."""
    usual = {"pads": [0, 0], "dilations": [1], "auto_pad": b"NOTSET", "group": 1}
    if any(attribute(convolution, name, value) != value for name, value in usual.items()):
        return 0
    (stride,) = attribute(convolution, "strides", [1])
    return 0 if samples % stride else int(stride)


def _constants(found: _Filters) -> Iterator[TensorProto]:
    """The filters as a matrix [samples, channels], and the numbers that the frames are cut by."""
    name, stride, last = found.transpose.name, found.stride, found.strides - 1
    numbers = {"zero": 0, "one": 1, "two": 2, "stride": stride}
    starts = {f"from_{place}": place for place in range(last + 1)}
    ends = {f"to_{place}": place - last or END for place in range(last + 1)}
    for part, number in {**numbers, **starts, **ends}.items():
        yield numpy_helper.from_array(np.array([number]), f"{name}.{part}")
    yield numpy_helper.from_array(np.array([0, -1, stride]), f"{name}.pieces_shape")
    yield numpy_helper.from_array(np.ascontiguousarray(found.weight[:, 0].T), f"{name}.filters")


def _nodes(found: _Filters) -> Iterator[NodeProto]:
    """[B, 1, T] in pieces of a stride, [B, T // stride, stride]; so many in a row are a frame."""
    name, samples, bias = (
        found.transpose.name,
        found.convolution.input[0],
        found.convolution.input[2:],
    )

    def node(
        kind: str, inputs: list[str], output: str, *, of: str = "", **settings: object
    ) -> NodeProto:
        """A node of what is made here, or of another value first."""
        full = [*([of] if of else []), *(f"{name}.{each}" for each in inputs)]
        return helper.make_node(kind, full, [f"{name}.{output}"], f"{name}.{output}", **settings)

    yield node("Shape", [], "length", of=samples, start=2)
    yield node("Div", ["length", "stride"], "whole")
    yield node("Mul", ["whole", "stride"], "used")
    yield node("Slice", ["zero", "used", "two"], "cut", of=samples)
    yield node("Reshape", ["cut", "pieces_shape"], "pieces")
    parts = [f"part_{place}" for place in range(found.strides)]
    for place, part in enumerate(parts):
        yield node("Slice", ["pieces", f"from_{place}", f"to_{place}", "one"], part)
    yield node("Concat", parts, "frames", axis=2)
    output = f"{name}.unbiased" if bias else found.transpose.output[0]
    product = helper.make_node(
        "MatMul", [f"{name}.frames", f"{name}.filters"], [output], found.convolution.name
    )
    product.metadata_props.extend(found.convolution.metadata_props)
    yield product
    if bias:
        yield helper.make_node("Add", [output, bias[0]], list(found.transpose.output), name)
