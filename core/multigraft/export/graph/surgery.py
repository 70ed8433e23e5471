"""Graph surgery: what is done to an ONNX graph before it is quantised."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from multigraft.export.graph.trace import SCOPES

WEIGHTED = frozenset({"Conv", "ConvTranspose", "MatMul", "Gemm"})
POOLS = frozenset({"ReduceMean", "GlobalAveragePool"})
FRONTEND = "frontend"
"""Submodule of a backbone that turns samples into a spectrogram: its ranges need floats."""
DECODER = "decoder"
"""Submodule that refines an answer step by step, as a detector's boxes: what 8 bits lose in one
step is lost to all others."""
MANY_CHANNELS = 16
"""That a filter reads, from which on a convolution is worth ranges of its own."""
LARGE_TABLE = 1 << 14
"""Numbers in an embedding table from which int8 is worth three nodes."""


def float_nodes(graph: GraphProto) -> list[str]:
    """Nodes that stay float: a `FRONTEND`, a `DECODER`, what comes before the first weights, and
    what comes behind the last ones, as the arithmetic of boxes; with it the last convolutions of
    maps, whose few numbers are the answer."""
    before, pooled = _leading_to(graph, WEIGHTED), _leading_to(graph, POOLS)
    dense = {
        node.name
        for node in graph.node
        if node.op_type == "Conv" and node.name not in before | pooled
    }
    return [
        node.name
        for node, after in _in_order(graph)
        if (node.op_type not in WEIGHTED and not (after and node.name in before))
        or node.name in dense
        or _inside(node, FRONTEND)
        or _inside(node, DECODER)
    ]


def _leading_to(graph: GraphProto, kinds: Collection[str]) -> set[str]:
    """The nodes before any of those kinds."""
    needed: set[str] = set()
    found = set()
    for node in reversed(graph.node):  # sorted topologically
        leads = any(name in needed for name in node.output)
        if leads:
            found.add(node.name)
        if leads or node.op_type in kinds:
            needed.update(node.input)
    return found


def depthwise(graph: GraphProto) -> list[str]:
    """The convolutions that filter each channel by itself."""
    return [name for name, groups, channels in _convolutions(graph) if groups > 1 and channels == 1]


def inner_convolutions(graph: GraphProto) -> list[str]:
    """Convolutions that do much work: over a layer's channels, not over an image's three."""
    return [
        name
        for name, groups, channels in _convolutions(graph)
        if groups == 1 and channels >= MANY_CHANNELS
    ]


def thin_products(graph: GraphProto) -> list[str]:
    """The first products of a graph with few rows of weights, as of a waveform's frames.

    They gain nothing in int8, and samples do not survive it.
    """
    few = {
        weight.name
        for weight in graph.initializer
        if weight.dims and weight.dims[0] < MANY_CHANNELS
    }
    first = [node for node, after in _in_order(graph) if not after]
    return [node.name for node in first if node.op_type == "MatMul" and node.input[1] in few]


def _in_order(graph: GraphProto) -> Iterator[tuple[NodeProto, bool]]:
    """Each node, and whether what it reads comes from weights."""
    weighted: set[str] = set()
    for node in graph.node:  # sorted topologically
        after = any(name in weighted for name in node.input)
        if after or node.op_type in WEIGHTED:
            weighted.update(node.output)
        yield node, after


def _convolutions(graph: GraphProto) -> Iterator[tuple[str, int, int]]:
    """Name, groups and channels of each convolution with constant weights, but a `FRONTEND`."""
    shapes = {weight.name: tuple(weight.dims) for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "Conv" and node.input[1] in shapes and not _inside(node, FRONTEND):
            yield node.name, attribute(node, "group", 1), shapes[node.input[1]][1]


def product_share(graph: GraphProto) -> float:
    """The share of the weights that matrix products hold; convolutions hold the rest."""
    sizes = {weight.name: float(np.prod(weight.dims)) for weight in graph.initializer}
    made = {node.output[0]: node.input[0] for node in graph.node if node.op_type == "Transpose"}
    held = {"Conv": 0.0, "ConvTranspose": 0.0, "MatMul": 0.0, "Gemm": 0.0}
    for node in graph.node:
        if node.op_type in held:
            held[node.op_type] += sum(sizes.get(made.get(name, name), 0.0) for name in node.input)
    return (held["MatMul"] + held["Gemm"]) / max(sum(held.values()), 1.0)


def fold_transposed(model: ModelProto) -> None:
    """Fold ``Transpose(weight)`` into a constant, so that the product after it is quantised."""
    graph = model.graph
    weights = {weight.name: weight for weight in graph.initializer}
    for node in [
        node for node in graph.node if node.op_type == "Transpose" and node.input[0] in weights
    ]:
        array = numpy_helper.to_array(weights[node.input[0]])
        turned = np.ascontiguousarray(array.transpose(attribute(node, "perm", None)))
        graph.initializer.append(numpy_helper.from_array(turned, node.output[0]))
        graph.node.remove(node)
    drop_unused(graph)


def tables(graph: GraphProto) -> list[str]:
    """The large embedding tables: weights that are only ever looked up by row."""
    return [weight.name for weight in graph.initializer if _is_table(weight, graph)]


def shrink_embeddings(model: ModelProto, *, spared: Collection[str] = ()) -> None:
    """Quantise large embedding tables to int8, with a scale for each row."""
    graph = model.graph
    chosen = set(tables(graph)) - set(spared)
    for table in [weight for weight in graph.initializer if weight.name in chosen]:
        rows = numpy_helper.to_array(table)
        scale = np.abs(rows).max(axis=1, keepdims=True) / 127
        scale[scale == 0] = 1  # a row of zeros
        packed = np.rint(rows / scale).astype(np.int8)
        graph.initializer.append(numpy_helper.from_array(packed, f"{table.name}.int8"))
        graph.initializer.append(
            numpy_helper.from_array(scale.astype(np.float32), f"{table.name}.scale")
        )
        nodes = [new for node in graph.node for new in _looked_up(node, table.name)]
        del graph.node[:]
        graph.node.extend(nodes)
    drop_unused(graph)


def titles(graph: GraphProto) -> dict[str, str]:
    """The module that each node came from, where the exporter noted it."""
    scopes = {node.name: _scopes(node) for node in graph.node}
    return {name: found[-1].removeprefix("graft.") for name, found in scopes.items() if found}


def drop_unused(graph: GraphProto) -> None:
    """Remove weights that no node reads."""
    used = {*_names_read(graph), *(port.name for port in graph.output)}
    for weight in [weight for weight in graph.initializer if weight.name not in used]:
        graph.initializer.remove(weight)


def drop_unreached(graph: GraphProto) -> None:
    """Remove nodes whose outputs nobody reads."""
    needed = {port.name for port in graph.output}
    kept = []
    for node in reversed(graph.node):  # sorted topologically
        if any(name in needed for name in node.output):
            kept.append(node)
            needed.update(_names_of(node))
    del graph.node[:]
    graph.node.extend(reversed(kept))


def attribute(node: NodeProto, name: str, default: Any) -> Any:
    """A node's attribute."""
    found = next((item for item in node.attribute if item.name == name), None)
    return default if found is None else helper.get_attribute_value(found)


def _names_read(graph: GraphProto) -> Iterator[str]:
    for node in graph.node:
        yield from _names_of(node)


def _names_of(node: NodeProto) -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        if attribute.HasField("g"):  # the branches of an If, the body of a Loop
            yield from _names_read(attribute.g)


def _is_table(weight: TensorProto, graph: GraphProto) -> bool:
    """Whether it is a large [rows, width] of floats that is only ever looked up by row."""
    if (
        len(weight.dims) != 2
        or weight.data_type != TensorProto.FLOAT
        or np.prod(weight.dims) < LARGE_TABLE
    ):
        return False
    readers = [node for node in graph.node if weight.name in node.input]
    return all(
        node.op_type == "Gather"
        and node.input[0] == weight.name
        and attribute(node, "axis", 0) == 0
        for node in readers
    )


def _looked_up(node: NodeProto, table: str) -> Iterator[NodeProto]:
    """Read ``Gather(table, i)`` as ``float(Gather(int8, i)) * Gather(scale, i)``."""
    if node.op_type != "Gather" or node.input[0] != table:
        yield node
        return
    packed, wide, scale = (f"{node.output[0]}.{part}" for part in ("int8", "float", "scale"))
    yield helper.make_node("Gather", [f"{table}.int8", node.input[1]], [packed], name=packed)
    yield helper.make_node("Cast", [packed], [wide], name=wide, to=TensorProto.FLOAT)
    yield helper.make_node("Gather", [f"{table}.scale", node.input[1]], [scale], name=scale)
    yield helper.make_node("Mul", [wide, scale], list(node.output), name=node.name)


def _inside(node: NodeProto, submodule: str) -> bool:
    return any(submodule in scope.split(".") for scope in _scopes(node))


def _scopes(node: NodeProto) -> list[str]:
    """Modules that a node came from, outermost first; the exporter writes a Python list."""
    noted = next((item.value for item in node.metadata_props if item.key == SCOPES), "[]")
    return [scope for scope in ast.literal_eval(noted)[:-1] if scope]
