"""Alignment heads: those of cross-attention that look where a token is said.

As in the timing of openai's whisper: some heads of its decoder attend to the frames in which what
they are about to write is said. The published settings name them (``alignment_heads``); without
them all heads of the upper half of the layers are taken, as there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from multigraft.contracts.generation import Tensors
from multigraft.errors import WeightsError, refused_as

Asked = Mapping[int, Tensor]
"""What the cross-attention of each layer with such heads was asked with, [B, T, D]."""


@dataclass(frozen=True)
class AlignmentHeads:
    """By layer the numbers of its heads."""

    heads: Mapping[int, tuple[int, ...]]

    @classmethod
    def of(cls, model: Any) -> AlignmentHeads:
        """Those that a model's settings of generation name, else the upper half of all.

        Raises WeightsError for heads that the model does not have.
        """
        layers, width = model.config.decoder_layers, model.config.decoder_attention_heads
        every = [(layer, head) for layer in range(layers) for head in range(width)]
        named = getattr(model.generation_config, "alignment_heads", None)
        with refused_as(WeightsError, "generation_config.json: alignment_heads cannot be read"):
            chosen = [(int(layer), int(head)) for layer, head in named or ()]
        if strange := [pair for pair in chosen if pair not in every]:
            raise WeightsError(
                f"generation_config.json: alignment_heads names head {strange[0][1]} of layer "
                f"{strange[0][0]}; the decoder has {layers} layers of {width} heads"
            )
        found: dict[int, tuple[int, ...]] = {}
        for layer, head in sorted(set(chosen)) or every[layers // 2 * width :]:
            found[layer] = (*found.get(layer, ()), head)
        return cls(found)

    def __len__(self) -> int:
        return sum(map(len, self.heads.values()))

    @contextmanager
    def heard(self, layers: Sequence[nn.Module]) -> Iterator[dict[int, Tensor]]:
        """Collect what the cross-attentions of ``layers``, all or none, are asked with while the
        decoder computes."""
        asked: dict[int, Tensor] = {}
        with ExitStack() as stack:
            for number in self.heads if layers else ():
                attention: Any = layers[number].encoder_attn
                hook = attention.register_forward_pre_hook(partial(_keep, asked, number))
                stack.callback(hook.remove)
            yield asked

    def weights(
        self, layers: Sequence[nn.Module], asked: Asked, kept: Tensor, memory: Tensors
    ) -> Tensor:
        """Their attention for the kept tokens, [B, heads, K, source]; its rows sum to 1.

        Computed beside the network's own attention, so that this stays one fused node of a graph.
        """
        return torch.cat(
            [
                _attention(layers[number], asked[number][:, kept], memory[f"{number}.key"], heads)
                for number, heads in self.heads.items()
            ],
            dim=1,
        )


def _keep(asked: dict[int, Tensor], number: int, module: nn.Module, given: Any) -> None:
    """A forward pre-hook."""
    del module
    asked[number] = given[0]


def _attention(layer: Any, hidden: Tensor, keys: Tensor, heads: Sequence[int]) -> Tensor:
    """[B, K, D] and keys [B, H, source, width] -> [B, heads, K, source]."""
    attention = layer.encoder_attn
    queries = attention.q_proj(hidden).unflatten(-1, (attention.num_heads, -1)).transpose(1, 2)
    chosen = list(heads)
    scores = queries[:, chosen] @ keys[:, chosen].transpose(2, 3)
    return (scores * attention.scaling).softmax(-1)
