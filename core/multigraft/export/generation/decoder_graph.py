"""Decoder export: one graph that reads prompts and single tokens alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.generation import ALIGNMENT, Generating, NewTokens, Tensors, Writing
from multigraft.contracts.reader import Reader
from multigraft.contracts.types import Arrays
from multigraft.evaluation.generation.ports import (
    KEPT,
    MASK,
    MEMORY,
    NEW,
    PAST,
    POSITIONS,
    TOKENS,
    named,
    outputs_of,
    ports_of,
)
from multigraft.export.graph.trace import write_graph
from multigraft.runtime.generation.generator import DECODER, Generator, generator_of
from multigraft.runtime.session import Session


class _Flat(nn.Module):
    """A decoder whose outputs stand in one row, as an exporter wants them."""

    def __init__(self, decoder: nn.Module, writing: Writing) -> None:
        super().__init__()
        self.decoder = decoder
        self.writing = writing

    def forward(
        self, ids: Tensor, mask: Tensor, positions: Tensor, kept: Tensor, held: list[Tensor]
    ) -> tuple[Tensor, ...]:
        """``held`` is the state, then the memory."""
        past = dict(zip(self.writing.state, held, strict=False))
        memory = dict(zip(self.writing.memory, held[len(past) :], strict=True))
        aligned = self.writing.alignment > 0
        new = NewTokens(ids, mask, positions, kept, aligned)
        logits, present = self.decoder.step(new, past, memory)
        told = [*self.writing.state, *([ALIGNMENT] if aligned else [])]
        return (logits, *(present[name] for name in told))


def export_decoder(generating: Generating, memory: Tensors, path: Path, *, opset: int) -> None:
    """Write the graph of a decoder's step. Raises ExportError.

    It is traced with two rows, one of them padded, a past and several new tokens: a size of one
    would be taken for a constant, and so would a mask of ones. ``memory`` is that of two rows.
    """
    writing, new, past = generating.writing, 3, 4
    mask = torch.ones(2, past + new, dtype=torch.int64)
    mask[1, :2] = 0
    sample = (
        torch.arange(2 * new).reshape(2, new) % writing.vocabulary,
        mask,
        (mask.cumsum(1) - 1).clamp(min=0)[:, past:],
        torch.tensor([0, new - 1]),
        [
            *(torch.zeros(2, *_sizes(axes, past)) for axes in writing.state.values()),
            *(memory[name] for name in writing.memory),
        ],
    )
    shapes = (
        {0: "batch", 1: "new"},
        {0: "batch", 1: "total"},
        {0: "batch", 1: "new"},
        {0: "kept"},
        [_varying(axes) for axes in (*writing.state.values(), *writing.memory.values())],
    )
    write_graph(
        _Flat(generating.decoder, writing).eval(),
        sample,
        inputs=[*NEW, *named(PAST, writing.state), *named(MEMORY, writing.memory)],
        outputs=outputs_of(writing),
        shapes=shapes,
        path=path,
        opset=opset,
    )


def _sizes(axes: Iterable[int | str], varying: int) -> list[int]:
    return [varying if isinstance(size, str) else size for size in axes]


def _varying(axes: Iterable[int | str]) -> dict[int, str]:
    """The names of the axes that vary, by their places behind that of the rows."""
    names = {place: size for place, size in enumerate(axes, 1) if isinstance(size, str)}
    return {0: "batch", **names}


def open_writer(
    generating: Generating,
    paths: Mapping[str, Path],
    reader: Reader,
    *,
    threads: int | None = None,
) -> Generator:
    """The graphs of one precision, by role, as a bundle opens them."""
    graphs = {role: Session(path, threads=threads) for role, path in paths.items()}
    found = generator_of(ports_of(generating, graphs[DECODER].inputs), reader, graphs)
    assert found is not None
    return found


def fed(generating: Generating, batch: Batch, memory: Arrays) -> Arrays:
    """A batch as the decoder's inputs, read whole from an empty state; the encoder's ``memory``."""
    tokens, real = (tensor.numpy() for tensor in generating.feed(batch))
    rows, length = tokens.shape
    positions = np.maximum(real.cumsum(axis=1) - 1, 0)
    new = {TOKENS: tokens, MASK: real, POSITIONS: positions, KEPT: np.arange(length)}
    return {**new, **_empty(generating.writing, rows), **memory}


def sample_of(generating: Generating) -> Arrays:
    """Inputs for a prompt of two tokens and a source of two: the shapes of a model card."""
    writing, two = generating.writing, np.ones((1, 2), dtype=np.int64)
    new = {TOKENS: two, MASK: two, POSITIONS: two, KEPT: np.ones(1, dtype=np.int64)}
    memory = {
        f"{MEMORY}.{name}": np.ones((1, *_sizes(axes, 2))) for name, axes in writing.memory.items()
    }
    return {**new, **_empty(writing, 1), **memory}


def _empty(writing: Writing, rows: int) -> Arrays:
    """The state before the first token."""
    return {
        f"{PAST}.{name}": np.zeros((rows, *_sizes(axes, 0)), dtype=np.float32)
        for name, axes in writing.state.items()
    }
