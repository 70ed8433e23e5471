"""From a model that writes tokens to one decoder graph, which reads prompts and single tokens
alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from multigraft.contracts.generation import Generating
from multigraft.contracts.records import Arrays
from multigraft.export.graph.trace import write_graph
from multigraft.runtime.bundle import CachePort, Generation

TOKENS, MASK, POSITIONS, KEPT = "input_ids", "attention_mask", "position_ids", "kept"
LOGITS, PAST, PRESENT = "logits", "past", "present"
NEW = (TOKENS, MASK, POSITIONS, KEPT)


class _Flat(nn.Module):
    """A decoder whose outputs stand in one row, as an exporter wants them."""

    def __init__(self, decoder: nn.Module) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, tokens: Tensor, mask: Tensor, positions: Tensor, kept: Tensor, past: Sequence[Tensor]
    ) -> tuple[Tensor, ...]:
        logits, present = self.decoder(tokens, mask, positions, kept, past)
        return (logits, *present)


def export_decoder(generating: Generating, path: Path, *, opset: int) -> None:
    """Write the graph of a decoder. Raises ExportError.

    It is traced with two rows, one of them padded, a past and several new tokens: a size of one
    would be taken for a constant, and so would a mask of ones.
    """
    new, past = 3, 4
    mask = torch.ones(2, past + new, dtype=torch.int64)
    mask[1, :2] = 0
    sample = (
        torch.arange(2 * new).reshape(2, new) % generating.vocabulary,
        mask,
        (mask.cumsum(1) - 1).clamp(min=0)[:, past:],
        torch.tensor([0, new - 1]),
        [torch.zeros(2, heads, past, width) for heads, width in generating.cache.values()],
    )
    shapes = (
        {0: "batch", 1: "new"},
        {0: "batch", 1: "total"},
        {0: "batch", 1: "new"},
        {0: "kept"},
        [{0: "batch", 2: "past"} for _ in generating.cache],
    )
    write_graph(
        _Flat(generating.decoder).eval(),
        sample,
        inputs=[*NEW, *(f"{PAST}.{name}" for name in generating.cache)],
        outputs=[LOGITS, *(f"{PRESENT}.{name}" for name in generating.cache)],
        shapes=shapes,
        path=path,
        opset=opset,
    )


def ports_of(generating: Generating, inputs: Iterable[str]) -> Generation:
    """What the manifest says of a decoder graph that has these inputs."""
    held = set(inputs)
    return Generation(
        tokens=TOKENS,
        mask=MASK if MASK in held else None,
        positions=POSITIONS if POSITIONS in held else None,
        kept=KEPT,
        logits=LOGITS,
        cache=tuple(
            CachePort(
                past=f"{PAST}.{name}",
                present=f"{PRESENT}.{name}",
                dtype="float32",
                shape=("batch", heads, "past", width),
            )
            for name, (heads, width) in generating.cache.items()
        ),
        start=generating.start,
        stop=generating.stop,
        pad=generating.pad,
        vocabulary=generating.vocabulary,
        max_length=generating.max_length,
    )


def fed(generating: Generating, batch: Arrays) -> Arrays:
    """A collated batch as the decoder's inputs, read whole from an empty past."""
    tensors = {name: torch.from_numpy(array) for name, array in batch.items()}
    tokens, real = (tensor.numpy() for tensor in generating.feed(tensors))
    rows, length = tokens.shape
    positions = np.maximum(real.cumsum(axis=1) - 1, 0)
    new = {TOKENS: tokens, MASK: real, POSITIONS: positions, KEPT: np.arange(length)}
    return {**new, **_empty(generating, rows)}


def sample_of(generating: Generating) -> Arrays:
    """The decoder's inputs for a prompt of two tokens, for the shapes in a model card."""
    two = np.ones((1, 2), dtype=np.int64)
    new = {TOKENS: two, MASK: two, POSITIONS: two, KEPT: np.ones(1, dtype=np.int64)}
    return {**new, **_empty(generating, 1)}


def _empty(generating: Generating, rows: int) -> Arrays:
    """A past of no tokens."""
    return {
        f"{PAST}.{name}": np.zeros((rows, heads, 0, width), dtype=np.float32)
        for name, (heads, width) in generating.cache.items()
    }
