"""MLP-PLR: a multilayer perceptron on embedded columns, numbers by periodic functions (Gorishniy et
al. 2022, arXiv:2203.05556)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from multigraft.contracts.features import Batch, Features
from multigraft.contracts.records import Origin
from multigraft.contracts.types import Spec
from multigraft_table.layout import PerceptronLayout, dump_config, layout_of, model_type
from multigraft_table.tokens import FeatureTokens, PeriodicTokens, columns_of
from multigraft_table.weights import made, save


class PeriodicMLP(nn.Module):
    """Columns of a row -> one vector; there is no sequence."""

    head_bias = True

    def __init__(self, layout: PerceptronLayout, spec: Spec, kind: str) -> None:
        super().__init__()
        self.layout, self.spec, self.kind = layout, spec, kind
        self.width = layout.width
        columns, width = columns_of(spec), layout.embedding
        numbers = (
            PeriodicTokens(columns.numbers, layout.frequencies, width, layout.sigma)
            if columns.numbers
            else None
        )
        self.tokens = FeatureTokens(columns, width, numbers)
        inputs = [columns.count * width, *[layout.width] * (layout.depth - 1)]
        self.layers = nn.ModuleList(Layer(each, layout.width, layout.dropout) for each in inputs)

    @property
    def blocks(self) -> Sequence[nn.Module]:
        """The embeddings, then the layers."""
        return [self.tokens, *self.layers]

    def forward(self, batch: Batch) -> Features:
        """Compute all columns side by side."""
        hidden: Tensor = self.tokens(batch).flatten(1)
        for layer in self.layers:
            hidden = layer(hidden)
        return Features(pooled=hidden)

    def save(self, folder: Path, *, head: nn.Linear | None, labels: Sequence[str]) -> None:
        """Write weights, layout and how rows are read; no other library has this class."""
        config = partial(dump_config, self.kind, self.layout, self.spec)
        save(self, folder, head=head, config=config, labels=labels)


class Layer(nn.Module):
    """A linear layer, ReLU, dropout."""

    def __init__(self, inputs: int, width: int, dropout: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor) -> Tensor:
        """[B, inputs] -> [B, width]."""
        found: Tensor = self.dropout(self.linear(hidden).relu())
        return found


def build(origin: Origin, spec: Spec) -> PeriodicMLP:
    """A network for the columns of a spec, new or with the weights of a folder."""
    layout = layout_of(origin, PerceptronLayout)
    return made(partial(PeriodicMLP, layout, spec, model_type(origin)), origin)
