"""Fused attention: what torch exports as a dozen nodes becomes one `MultiHeadAttention`.

onnxruntime's own optimizer does not know the form that torch's exporter gives to scaled dot-product
attention, and computes masks, NaN checks and transposes one after another. The fused node computes
the same but for queries whose every key is masked: torch answers them with zeros, the node with a
mean. The caller compares the graph with the model afterwards, and keeps the one that torch wrote
where they differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from multigraft.export.graph.rewrites.index import Index
from multigraft.export.graph.surgery import drop_unreached, drop_unused

DOMAIN = "com.microsoft"
NAME = "attention"
MOVES = frozenset({"Reshape", "Transpose"})


@dataclass(frozen=True)
class _Attention:
    """What one fused node is made from."""

    query: str
    key: str
    value: str
    bias: str
    """What is added to the scores; empty where nothing is masked."""
    form: tuple[int | str, ...]
    """Its shape."""
    heads: int
    scale: float
    last: NodeProto
    """The node whose output it takes over."""


def fuse_attention(model: ModelProto) -> int:
    """Fuse what can be, in place: how many nodes were made."""
    graph = model.graph
    found = list(_attentions(Index(graph)))
    made = {id(each.last): list(_nodes(each, number)) for number, each in enumerate(found)}
    nodes = [new for node in graph.node for new in made.get(id(node), [node])]
    del graph.node[:]
    graph.node.extend(nodes)
    if found:
        graph.initializer.append(numpy_helper.from_array(np.array([0, 1]), f"{NAME}.axes"))
        graph.initializer.append(numpy_helper.from_array(np.array([1]), f"{NAME}.one"))
        drop_unreached(graph)
        drop_unused(graph)
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return len(found)


def _nodes(found: _Attention, number: int) -> Iterator[NodeProto]:
    """The fused node; before it, what gives the mask its form, [B or 1, heads or 1, T, keys]."""
    name, bias = f"{NAME}_{number}", found.bias
    if bias and len(found.form) == 2:
        bias = f"{name}.bias"
        yield helper.make_node("Unsqueeze", [found.bias, f"{NAME}.axes"], [bias], name=bias)
    elif bias and found.form[2] == 1:
        bias, queries, shape, one = (
            f"{name}.bias",
            f"{name}.queries",
            f"{name}.shape",
            f"{NAME}.one",
        )
        yield helper.make_node("Shape", [found.query], [queries], name=queries, start=1, end=2)
        yield helper.make_node("Concat", [one, one, queries, one], [shape], name=shape, axis=0)
        yield helper.make_node("Expand", [found.bias, shape], [bias], name=bias)
    inputs = [found.query, found.key, found.value, "", "", bias]
    yield helper.make_node(
        "MultiHeadAttention",
        inputs if bias else inputs[:3],
        list(found.last.output),
        name=name,
        domain=DOMAIN,
        num_heads=found.heads,
        scale=found.scale,
    )


def _attentions(index: Index) -> Iterator[_Attention]:
    for node in [node for node in index.made.values() if node.op_type == "Softmax"]:
        found = _attention(index, node)
        if found is not None:
            yield found


def _attention(index: Index, softmax: NodeProto) -> _Attention | None:
    """What stands around a softmax, where it is an attention's."""
    last = _last(index, softmax.output[0])
    added = index.before(softmax.input[0], "Add")
    scores = index.before(softmax.input[0] if added is None else added.input[0], "MatMul")
    if last is None or scores is None:
        return None
    product, taken = last
    query, key = (_scaled(index, name) for name in scores.input)
    kept = (_held(index, name) or _projection(index, name) for name in (key[0], product.input[1]))
    sides = [side for side in (_projection(index, query[0]), *kept) if side is not None]
    if len(sides) < 3:
        return None
    (asked, heads), (held, others), (given, _) = sides
    if len(index.shape(held)) != len(index.shape(given)):
        return None
    bias = "" if added is None else added.input[1]
    form = tuple(index.shape(bias))
    if heads != others or (bias and len(form) not in {2, 4}):
        return None
    return _Attention(asked, held, given, bias, form, heads, query[1] * key[1], taken)


def _last(index: Index, weights: str) -> tuple[NodeProto, NodeProto] | None:
    """The product with the values, and the node that joins heads: [B, T, heads * width]."""
    checked = index.after(weights, "Where")  # zeros for the NaN of a row without any key
    product = index.after(weights if checked is None else checked.output[0], "MatMul")
    joined = product
    while joined is not None and len(index.shape(joined.output[0])) != 3:
        joined = index.after(joined.output[0], *MOVES)
    return None if product is None or joined is None else (product, joined)


def _scaled(index: Index, name: str) -> tuple[str, float]:
    """A side of the scores without its constant factor, and the factor."""
    node = index.before(name, "Mul")
    factor = None if node is None else index.scalar(node.input[1])
    return (name, 1.0) if node is None or factor is None else (node.input[0], factor)


def _held(index: Index, name: str) -> tuple[str, int] | None:
    """The keys or values [B, heads, S, width] that a decoder keeps from step to step, and the
    number of heads: the node takes them as they are, and torch would turn them at each step."""
    while (node := index.before(name, *MOVES)) is not None:
        name = node.input[0]
    shape = index.shape(name)
    if (
        not index.is_port(name)
        or len(shape) != 4
        or not all(isinstance(size, int) for size in shape[1::2])
    ):
        return None
    return name, int(shape[1])


def _projection(index: Index, name: str) -> tuple[str, int] | None:
    """The [B, T, heads * width] that was split into heads to make a value, and their number."""
    while (node := index.before(name, *MOVES)) is not None:
        shape = index.shape(node.output[0])
        before = index.shape(node.input[0])
        if node.op_type == "Reshape" and len(shape) == 4 and len(before) == 3:
            heads, width = shape[2], shape[3]
            if isinstance(heads, int) and isinstance(width, int) and before[2] == heads * width:
                return node.input[0], heads
        name = node.input[0]
    return None
