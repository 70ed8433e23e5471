"""Graph index: values by name, as every rewrite asks for them."""

from __future__ import annotations

import numpy as np
from onnx import GraphProto, NodeProto, numpy_helper

Shape = list[int | str]
"""The axes of a value: a number, or the name of one that varies; empty where nothing is known."""


class Index:
    """Values by name: who makes one, who reads it, and what is known. Changes are not followed."""

    def __init__(self, graph: GraphProto) -> None:
        self.made = {name: node for node in graph.node for name in node.output}
        self._readers: dict[str, list[NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                self._readers.setdefault(name, []).append(node)
        self._served = {port.name for port in graph.output}
        self._given = {port.name for port in graph.input}
        self._constants = {weight.name: weight for weight in graph.initializer}
        self._shapes: dict[str, Shape] = {
            value.name: [
                axis.dim_value or axis.dim_param for axis in value.type.tensor_type.shape.dim
            ]
            for value in (*graph.input, *graph.value_info, *graph.output)
        }

    def shape(self, name: str) -> Shape:
        """A value's shape."""
        return self._shapes.get(name, [])

    def before(self, name: str, *kinds: str) -> NodeProto | None:
        """The node that makes a value, where it is of one of those kinds."""
        node = self.made.get(name)
        return node if node is not None and node.op_type in kinds else None

    def after(self, name: str, *kinds: str) -> NodeProto | None:
        """The first node of one of those kinds that reads a value."""
        return next((node for node in self._readers.get(name, []) if node.op_type in kinds), None)

    def only_reader(self, name: str) -> NodeProto | None:
        """The node that alone reads a value which the graph does not serve."""
        readers = self._readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self._served else None

    def is_port(self, name: str) -> bool:
        """Whether a value is an input or output of the graph."""
        return name in self._given or name in self._served

    def constant(self, name: str) -> np.ndarray | None:
        """The numbers of a weight."""
        weight = self._constants.get(name)
        return None if weight is None else numpy_helper.to_array(weight)

    def scalar(self, name: str) -> float | None:
        """The one number of a weight."""
        found = self.constant(name)
        return float(found.reshape(())) if found is not None and found.size == 1 else None
