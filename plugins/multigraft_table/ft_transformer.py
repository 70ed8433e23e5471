"""FT-Transformer: a transformer over the columns of a row (Gorishniy et al. 2021,
arXiv:2106.11959)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft.errors import WeightsError
from multigraft_table.layout import TransformerLayout, dump_config, layout_of, model_type
from multigraft_table.tokens import FeatureTokens, NumberTokens, columns_of
from multigraft_table.weights import made, save


class FTTransformer(nn.Module):
    """Columns of a row -> [CLS] and one vector a column.

    ``pooled`` [B, D] is the normalised [CLS] behind a ReLU, as the paper's head reads it;
    ``sequence`` [B, 1 + columns, D].
    """

    head_bias = True

    def __init__(self, layout: TransformerLayout, spec: Spec, kind: str) -> None:
        super().__init__()
        self.layout, self.spec, self.kind = layout, spec, kind
        self.width = layout.width
        columns = columns_of(spec)
        self.cls = nn.Parameter(torch.empty(layout.width).uniform_(-0.1, 0.1))
        numbers = NumberTokens(columns.numbers, layout.width) if columns.numbers else None
        self.tokens = FeatureTokens(columns, layout.width, numbers)
        self.layers = nn.ModuleList(Layer(layout, first=not i) for i in range(layout.depth))
        self.norm = nn.LayerNorm(layout.width)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The tokenizer, then the layers."""
        return [self.tokens, *self.layers]

    def forward(self, batch: Batch) -> Features:
        """Compute every column beside the others."""
        tokens = self.tokens(batch)
        first = self.cls.to(tokens.dtype).expand(tokens.shape[0], 1, -1)
        hidden = torch.cat([first, tokens], dim=1)
        for layer in self.layers:
            hidden = layer(hidden)
        sequence = self.norm(hidden)
        return Features(pooled=sequence[:, 0].relu(), sequence=sequence)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write weights, layout and how rows are read; no other library has this class."""
        config = partial(dump_config, self.kind, self.layout, self.spec)
        save(self, folder, head=head, config=config, labels=labels)


class Layer(nn.Module):
    """A layer that normalises first: self-attention, then a feed-forward net of 4/3 the width that
    is gated by a ReLU (ReGLU). The first layer's attention is not normalised."""

    def __init__(self, layout: TransformerLayout, *, first: bool) -> None:
        super().__init__()
        width, hidden = layout.width, max(1, layout.width * 4 // 3)
        self.heads, self.attention_dropout = layout.heads, layout.attention_dropout
        self.attention_norm = nn.Identity() if first else nn.LayerNorm(width)
        self.project = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)
        self.spread = nn.Linear(width, 2 * hidden)
        self.dropout = nn.Dropout(layout.dropout)
        self.mix = nn.Linear(hidden, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        hidden = hidden + self._attend(self.attention_norm(hidden))
        value, gate = self.spread(self.norm(hidden)).chunk(2, dim=-1)
        mixed: Tensor = self.mix(self.dropout(value * gate.relu()))
        return hidden + mixed

    def _attend(self, hidden: Tensor) -> Tensor:
        parts = self.project(hidden).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = parts.unbind(0)  # [B, heads, T, D / heads]
        dropped = self.attention_dropout if self.training else 0.0
        found = F.scaled_dot_product_attention(query, key, value, dropout_p=dropped)
        attended: Tensor = self.output(found.transpose(1, 2).flatten(2))
        return attended


def build(origin: Origin, spec: Spec) -> FTTransformer:
    """A network for the columns of a spec, new or with the weights of a folder."""
    layout = layout_of(origin, TransformerLayout)
    if layout.width % layout.heads:
        raise WeightsError(
            f"{origin.backbone}: a width of {layout.width} is not divided by {layout.heads} heads"
        )
    return made(partial(FTTransformer, layout, spec, model_type(origin)), origin)
