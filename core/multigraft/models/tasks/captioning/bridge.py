"""Bridges from what is read to what a decoder takes: a prefix of vectors, or a source to attend
to."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features, mean_pool
from multigraft.contracts.generation import NewTokens, Tensors


class Prefix(nn.Module):
    """Vectors that stand in front of a text, made of the pooled features by one hidden layer
    (ClipCap, Mokady et al. 2021, section 3.2): [B, D] -> [B, length, width].

    At first they are about as long as the embeddings of tokens, whose numbers deviate by ``scale``.
    """

    def __init__(self, features: int, length: int, width: int, *, scale: float) -> None:
        super().__init__()
        self.length = length
        self.norm = nn.LayerNorm(features)
        self.inner = nn.Linear(features, width)
        self.outer = nn.Linear(width, length * width)
        nn.init.normal_(self.inner.weight, std=features**-0.5)
        nn.init.normal_(self.outer.weight, std=scale * (0.4 * width) ** -0.5)  # E[tanh(N)^2] = 0.4
        nn.init.zeros_(self.outer.bias)

    def forward(self, features: Features) -> Features:
        """The vectors as a sequence."""
        hidden = torch.tanh(self.inner(self.norm(features.pooled.float())))
        sequence = self.outer(hidden).unflatten(-1, (self.length, -1))
        return Features(sequence.mean(1), sequence)


class Source(nn.Module):
    """All positions of all branches, each projected to one width: what cross-attention reads.

    A branch without a sequence has its pooled vector for one, twice: attention weighs it as if it
    stood there once, and a graph needs more than one position to be traced for any number.
    """

    def __init__(self, widths: Mapping[str, int], width: int) -> None:
        super().__init__()
        self.inputs = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(own), nn.Linear(own, width)) for own in widths.values()
        )

    def forward(self, features: Features) -> Features:
        """[B, positions, width], and which of them are real."""
        found, masks = [], []
        for layer, branch in zip(self.inputs, features.branches.values(), strict=True):
            sequence, mask = _positions(branch)
            found.append(layer(sequence.float()))
            masks.append(mask)
        whole, real = torch.cat(found, dim=1), torch.cat(masks, dim=1)
        return Features(mean_pool(whole, real), whole, real)


class BridgedDecoder(nn.Module):
    """A decoder whose memory is made of what a bridge gives, as
    `multigraft.contracts.generation.Decoder` describes."""

    def __init__(self, bridge: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.bridge = bridge
        self.decoder = decoder

    def remember(self, features: Features, batch: Batch) -> Tensors:
        """The decoder's own, of the bridged features in the place of its encoder's."""
        del batch
        return bridged_memory(self.bridge, self.decoder, features)

    def step(self, new: NewTokens, past: Tensors, memory: Tensors) -> tuple[Tensor, Tensors]:
        """The decoder's own."""
        found: tuple[Tensor, Tensors] = self.decoder.step(new, past, memory)
        return found


def bridged_memory(bridge: nn.Module, decoder: nn.Module, features: Features) -> Tensors:
    """What a decoder remembers of bridged features, a batch of which has a mask alone."""
    crossed: Features = bridge(features)
    batch = {} if crossed.mask is None else {"attention_mask": crossed.mask.long()}
    memory: Tensors = decoder.remember(crossed, batch)
    return memory


def _positions(branch: Features) -> tuple[Tensor, Tensor]:
    """[B, T, D], and which of them are real [B, T] bool."""
    sequence = branch.sequence
    if sequence is None:
        sequence = branch.pooled.unsqueeze(1).expand(-1, 2, -1)
    elif branch.mask is not None:
        return sequence, branch.mask
    return sequence, torch.ones(sequence.shape[:2], dtype=torch.bool, device=sequence.device)
