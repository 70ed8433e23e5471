"""A trained model in the place of a bundle's graphs: the torch-free loop writes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.generation import ALIGNMENT, Generating, NewTokens, Tensors
from multigraft.contracts.reader import Reader
from multigraft.contracts.types import Arrays
from multigraft.evaluation.generation.ports import (
    MEMORY,
    NEW,
    PAST,
    named,
    outputs_of,
    ports_of,
)
from multigraft.models.graft import Graft
from multigraft.runtime.generation.generator import DECODER, ENCODER, Generator, generator_of


def torch_writer(graft: Graft, generating: Generating, reader: Reader) -> Generator:
    """What writes as the bundle of this graft would, in the mode and on the device that it is."""
    writing = generating.writing
    inputs = [*NEW, *named(PAST, writing.state), *named(MEMORY, writing.memory)]
    graphs: dict[str, Any] = {DECODER: _Decoder(generating)}
    if writing.memory:
        graphs[ENCODER] = _Encoder(graft, generating)
    found = generator_of(ports_of(generating, inputs), reader, graphs)
    assert found is not None
    return found


def remembered(graft: Graft, decoder: nn.Module, batch: Batch) -> Tensors:
    """What the decoder keeps of a batch of values."""
    memory: Tensors = decoder.remember(graft.backbone(batch), batch)
    return memory


@dataclass(frozen=True)
class _Held:
    """A tensor that stays on its device from step to step."""

    tensor: Tensor

    def numpy(self) -> np.ndarray:
        array: np.ndarray = self.tensor.float().cpu().numpy()
        return array


@dataclass(frozen=True)
class _Encoder:
    graft: Graft
    generating: Generating

    def run(self, arrays: Arrays) -> Arrays:
        device = next(self.graft.parameters()).device
        batch = {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
        with torch.inference_mode():
            found = remembered(self.graft, self.generating.decoder, batch)
        return {
            f"{MEMORY}.{name}": found[name].cpu().numpy() for name in self.generating.writing.memory
        }


@dataclass(frozen=True)
class _Decoder:
    generating: Generating

    def value(self, array: np.ndarray) -> _Held:
        device = next(self.generating.decoder.parameters()).device
        return _Held(torch.from_numpy(array).to(device))

    def chain(self, values: Mapping[str, _Held]) -> dict[str, _Held]:
        writing, decoder = self.generating.writing, self.generating.decoder
        given = {name: value.tensor for name, value in values.items()}
        past = {name: given[f"{PAST}.{name}"] for name in writing.state}
        memory = {name: given[f"{MEMORY}.{name}"] for name in writing.memory}
        ids, mask, positions, kept = (given[name] for name in NEW)
        new = NewTokens(ids, mask, positions, kept, writing.alignment > 0)
        with torch.inference_mode():
            logits, present = decoder.step(new, past, memory)
        told = (logits, *(present[name] for name in [*writing.state, ALIGNMENT] if name in present))
        return dict(zip(outputs_of(writing), map(_Held, told), strict=True))
