"""Weights that several graphs of a bundle hold alike, as the embeddings of an encoder and its
decoder: kept once, in a file beside them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import onnx
from onnx import GraphProto, ModelProto, TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data, uses_external_data

from multigraft.export.graph.storage import is_large, size_of

SHARED = "shared.data"
LEAST = 2**12
"""Bytes of a weight from which it is worth a place in the file."""
PAGE = 2**12
"""Where a weight may begin, so that a runtime can map the file into memory."""


def share_weights(paths: Sequence[Path]) -> bool:
    """Move what two of these graphs, in one folder, hold alike into `SHARED`; tell whether anything
    was. Graphs whose weights lie beside them already stay as they are."""
    models = {path: onnx.load(path) for path in paths if not is_large(size_of(path))}
    holders = Counter(key for model in models.values() for key in {*_weights(model.graph)})
    shared = {key for key, graphs in holders.items() if graphs > 1}
    if not shared:
        return False
    for model in models.values():
        _turn_in_graph(model.graph, shared)
    _write(models, shared, paths[0].with_name(SHARED))
    return True


def shares(path: Path) -> bool:
    """Tell whether a graph reads the file of shared weights."""
    graph = onnx.load(path, load_external_data=False).graph
    return any(
        entry.value == SHARED
        for weight in graph.initializer
        if uses_external_data(weight)
        for entry in weight.external_data
    )


def _write(models: dict[Path, ModelProto], shared: set[str], file: Path) -> None:
    places: dict[str, tuple[int, int]] = {}
    with file.open("wb") as out:
        for model in models.values():
            for key, weight in _weights(model.graph).items():
                if key in shared and key not in places:
                    out.write(b"\0" * (-out.tell() % PAGE))
                    places[key] = (out.tell(), len(weight.raw_data))
                    out.write(weight.raw_data)
    for path, model in models.items():
        for key, weight in _weights(model.graph).items():
            if key in shared:
                offset, length = places[key]
                set_external_data(weight, SHARED, offset=offset, length=length)
                weight.ClearField("raw_data")
        onnx.save(model, path)


def _weights(graph: GraphProto) -> dict[str, TensorProto]:
    """The large weights, by what they hold."""
    return {_key(weight): weight for weight in _large(graph.initializer)}


def _large(weights: Iterable[TensorProto]) -> Iterator[TensorProto]:
    return (weight for weight in weights if len(weight.raw_data) >= LEAST)


def _key(weight: TensorProto) -> str:
    told = repr((weight.data_type, tuple(weight.dims))).encode()
    return hashlib.sha256(told + weight.raw_data).hexdigest()


def _turn_in_graph(graph: GraphProto, shared: set[str]) -> None:
    """Make a matrix that is a shared one transposed of that one, which a runtime does when it opens
    the graph: a table that is embeddings and output layer lies there once."""
    held = {key: weight.name for key, weight in _weights(graph).items()}
    for key, weight in _weights(graph).items():
        if key in shared or weight.data_type != TensorProto.FLOAT or len(weight.dims) != 2:
            continue
        turned = numpy_helper.from_array(numpy_helper.to_array(weight).T.copy())
        if (twin := _key(turned)) in shared & held.keys():
            graph.initializer.remove(weight)
            node = helper.make_node("Transpose", [held[twin]], [weight.name], perm=[1, 0])
            graph.node.insert(0, node)
