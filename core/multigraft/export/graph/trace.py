"""From a graft to an ONNX graph with named inputs and outputs, any batch and any length."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective, Outputs
from multigraft.contracts.padding import Fills, axis_names, crop, fill_of, sizes
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.errors import ExportError
from multigraft.export.graph.storage import is_large
from multigraft.export.graph.translations import translations
from multigraft.models.graft import Graft

SCOPES = "pkg.torch.onnx.name_scopes"
"""The key under which a node keeps the names of the modules it came from."""


class ByName(nn.Module):
    """A module whose inputs and outputs have names: what is traced, and what a graph is compared
    with."""

    def __init__(self, inputs: Sequence[str]) -> None:
        super().__init__()
        self.inputs = tuple(inputs)

    def serve(self, batch: Batch) -> Outputs:
        """Named outputs of a batch."""
        raise NotImplementedError

    def forward(self, *arrays: Tensor) -> tuple[Tensor, ...]:
        """The same by position, as an exporter wants it."""
        return tuple(self.serve(dict(zip(self.inputs, arrays, strict=True))).values())

    def answer(self, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """The same from and to numpy."""
        with torch.inference_mode():
            outputs = self.serve({name: torch.from_numpy(arrays[name]) for name in self.inputs})
        return {name: value.numpy() for name, value in outputs.items()}


class Served(ByName):
    """A graft as it is deployed: the reader's arrays in, what the objective serves out."""

    def __init__(
        self, graft: Graft, objective: Objective, inputs: Sequence[str], *, with_head: bool
    ) -> None:
        super().__init__(inputs)
        self.graft = graft
        self.objective = objective
        self.with_head = with_head

    def serve(self, batch: Batch) -> Outputs:
        """Named outputs of a batch."""
        features = self.graft.backbone(batch)
        outputs = self.graft.head(features, batch) if self.with_head else None
        return self.objective.serve(features, outputs)


def export_graph(
    served: ByName, sample: Sequence[Arrays], fills: Fills, path: Path, *, opset: int
) -> None:
    """Write the graph of ``served`` to ``path``. Raises ExportError.

    ``sample`` is two read rows; along an axis where they are equally long the second is shortened,
    because a mask of ones would be taken for a constant.
    """
    rows = uneven(sample, fills)
    batch = {name: torch.from_numpy(array) for name, array in collate(rows, fills).items()}
    with torch.no_grad():
        names = list(served.serve(batch))
    _check_names(names, served.inputs)
    shapes = _axes(rows, fills)
    write_graph(
        served,
        tuple(batch[name] for name in served.inputs),
        inputs=served.inputs,
        outputs=names,
        shapes=(tuple(shapes[name] for name in served.inputs),),
        path=path,
        opset=opset,
    )


def write_graph(
    module: nn.Module,
    sample: tuple[Any, ...],
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
    shapes: Any,
    path: Path,
    opset: int,
) -> None:
    """Trace ``module(*sample)`` into ``path`` with varying axes ``shapes``. Raises ExportError."""
    try:
        with _quiet():
            program = torch.onnx.export(
                module,
                sample,
                dynamo=True,
                opset_version=opset,
                input_names=list(inputs),
                dynamic_shapes=shapes,
                custom_translation_table=translations(),
                verbose=False,
            )
    except (
        Exception
    ) as error:  # the exporter's own errors, and whatever the model raises when traced
        raise ExportError(
            f"torch.onnx.export cannot make a graph of this model: {_reason(error)}"
        ) from error
    _name_outputs(program.model, outputs)
    _tidy(program.model)
    program.save(path, external_data=is_large(_weight_bytes(module)))


def _check_names(outputs: Sequence[str], inputs: Sequence[str]) -> None:
    """Raise ExportError where a graph cannot have these ports: each name is one value's."""
    if shared := [name for name in outputs if name in inputs]:
        raise ExportError(
            f"the objective's serve gives {', '.join(map(repr, shared))}, which is what the "
            "reader's own array is called; a graph tells its values apart by their names: serve it "
            "under another one"
        )
    if not outputs or not all(isinstance(name, str) and name for name in outputs):
        raise ExportError(f"the objective's serve gives {list(outputs)}; named outputs are needed")


def uneven(sample: Sequence[Arrays], fills: Fills) -> list[Arrays]:
    """Two rows of unequal length along every axis that varies."""
    first, second = sample[0], sample[-1]
    long, short = sizes(first, fills), sizes(second, fills)
    equal = {axis for axis in long if long[axis] == short[axis]}
    second = crop(
        second, fills, lambda axis, size: max(1, size * 3 // 4) if axis in equal else size
    )
    return [first, second]


def _axes(rows: Sequence[Arrays], fills: Fills) -> dict[str, dict[int, str]]:
    """Each array's varying axes by name; those of one name that differ in length are numbered."""
    names: dict[str, dict[tuple[int, ...], str]] = {axis: {} for axis in axis_names(fills)}
    axes: dict[str, dict[int, str]] = {}
    for name in rows[0]:
        axes[name] = {0: "batch"}
        for axis, called in fill_of(fills[name]).axes.items() if name in fills else ():
            met, lengths = names[called], tuple(row[name].shape[axis] for row in rows)
            met.setdefault(lengths, f"{called}_{len(met) + 1}" if met else called)
            axes[name][axis + 1] = met[lengths]
    return axes


def _name_outputs(model: Any, names: Sequence[str]) -> None:
    """Name the outputs: the exporter's ``output_names`` lets an inner value keep the same name."""
    graph = model.graph
    for node in graph.all_nodes():
        for value in node.outputs:
            if value.name in names:
                value.name = f"{value.name}.inner"
    for weight in [graph.initializers[name] for name in names if name in graph.initializers]:
        weight.name = f"{weight.name}.weight"
    for output, name in zip(graph.outputs, names, strict=True):
        output.name = name


def _tidy(model: Any) -> None:
    """Drop inputs the graph does not use, and what the exporter noted down of this machine."""
    for port in [
        port for port in model.graph.inputs if not port.uses() and not port.is_graph_output()
    ]:
        model.graph.inputs.remove(port)
    model.producer_name, model.doc_string = "multigraft", None
    for item in [model.graph, *model.graph.all_nodes(), *model.functions.values()]:
        kept = {key: value for key, value in item.metadata_props.items() if key == SCOPES}
        item.metadata_props.clear()
        item.metadata_props.update(kept)


def _weight_bytes(module: nn.Module) -> int:
    tensors = {id(t): t for t in [*module.parameters(), *module.buffers()]}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's warnings and progress off the screen; its errors are raised."""
    loggers = [
        logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")
    ]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


def _reason(error: BaseException) -> str:
    """The innermost cause, in one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
