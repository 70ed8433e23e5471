"""Encoder export: the graph that reads a value once, and what the decoder remembers of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from multigraft.contracts.features import Batch
from multigraft.contracts.generation import Generating, Tensors
from multigraft.contracts.padding import Fills
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Arrays
from multigraft.errors import ExportError
from multigraft.evaluation.generation.ports import MEMORY
from multigraft.evaluation.generation.torch_writer import remembered
from multigraft.export.graph.trace import ByName, export_graph, uneven
from multigraft.models.graft import Graft


class Encoder(ByName):
    """The reader's arrays in, the decoder's memory out."""

    def __init__(self, graft: Graft, generating: Generating, inputs: Sequence[str]) -> None:
        super().__init__(inputs)
        self.graft = graft
        self.decoder = generating.decoder
        self.axes = generating.writing.memory

    def serve(self, batch: Batch) -> dict[str, Tensor]:
        """Named outputs of a batch."""
        found = remembered(self.graft, self.decoder, batch)
        given = [batch[name] for name in self.inputs]
        return {  # what is an input as well cannot be an output by another name
            f"{MEMORY}.{name}": found[name].clone()
            if any(found[name] is each for each in given)
            else found[name]
            for name in self.axes
        }


def export_encoder(
    encoder: Encoder,
    sample: Sequence[Arrays],
    fills: Fills,
    path: Path,
    *,
    opset: int,
) -> Tensors:
    """Write the graph; give the memory of the two rows it was traced with. Raises ExportError."""
    rows = uneven(sample, fills)
    batch = {name: torch.from_numpy(array) for name, array in collate(rows, fills).items()}
    with torch.no_grad():
        memory = remembered(encoder.graft, encoder.decoder, batch)
    if wrong := next(misshapen(encoder.axes, memory, "remember", "memory"), None):
        raise ExportError(wrong)
    export_graph(encoder, rows, fills, path, opset=opset)
    return {name: memory[name].clone() for name in encoder.axes}


def misshapen(
    axes: Mapping[str, Sequence[int | str]], memory: Tensors, method: str, field: str
) -> Iterator[str]:
    """Where tensors are not what `Writing` says of them."""
    if odd := sorted(axes.keys() ^ memory.keys()):
        gives = "does not give" if odd[0] in axes else "also gives"
        yield f"the decoder's {method} {gives} {odd[0]!r}; writing.{field} names {sorted(axes)}"
        return
    sizes = dict[str, int]()
    for name, said in axes.items():
        found = memory[name].shape[1:]
        for size, wanted in zip(found, said, strict=False):
            sizes.setdefault(str(wanted), int(size))
        if list(found) != [sizes[str(each)] if isinstance(each, str) else each for each in said]:
            yield (
                f"the decoder's {method} gives {name!r} of the shape {list(found)} a row; "
                f"writing.{field} says {list(said)}"
            )
