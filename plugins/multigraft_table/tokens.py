"""Feature tokenizer: each number and category of a row as a vector."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor, nn

from multigraft.contracts.features import Batch
from multigraft.contracts.types import Spec
from multigraft_table.encodings import KNOWN
from multigraft_table.reader import table_reader


@dataclass(frozen=True)
class Columns:
    """What the arrays of a reader hold."""

    numbers: int
    sizes: tuple[int, ...]
    """How many numbers each category may have."""

    @property
    def count(self) -> int:
        """Numbers and categories together."""
        return self.numbers + len(self.sizes)


def columns_of(spec: Spec) -> Columns:
    """What the reader of a spec gives."""
    columns = table_reader(spec).columns
    sizes = tuple(size for column in columns for size in column.sizes)
    return Columns(sum(len(column.scales) for column in columns), sizes)


class NumberTokens(nn.Module):
    """Linear embedding of each number: weight times number plus bias (Gorishniy et al. 2021, eq.
    1), and a vector that is added where it is missing."""

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(_uniform(count, width))
        self.bias = nn.Parameter(_uniform(count, width))
        self.missing = nn.Parameter(torch.zeros(count, width))

    def forward(self, numbers: Tensor, missing: Tensor) -> Tensor:
        """[B, N], [B, N] of 0 and 1 -> [B, N, D]."""
        seen: Tensor = numbers.unsqueeze(-1) * self.weight + self.bias
        return seen + missing.unsqueeze(-1) * self.missing


class PeriodicTokens(nn.Module):
    """Periodic embedding of each number (PLR of Gorishniy et al. 2022, section 3.3): sines and
    cosines of learned frequencies, one linear layer for all columns, ReLU."""

    def __init__(self, count: int, frequencies: int, width: int, sigma: float) -> None:
        super().__init__()
        drawn = torch.empty(count, frequencies)
        nn.init.trunc_normal_(drawn, std=sigma, a=-3 * sigma, b=3 * sigma)
        self.frequencies = nn.Parameter(drawn)
        self.linear = nn.Linear(2 * frequencies, width)
        self.missing = nn.Parameter(torch.zeros(count, width))

    def forward(self, numbers: Tensor, missing: Tensor) -> Tensor:
        """[B, N], [B, N] of 0 and 1 -> [B, N, D]."""
        angles = 2 * math.pi * numbers.unsqueeze(-1) * self.frequencies
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        seen: Tensor = self.linear(waves).relu()
        return seen + missing.unsqueeze(-1) * self.missing


class CategoryTokens(nn.Module):
    """Embedding of each category plus a bias of its column.

    Those of missing and unseen ones are 0 at first: what training never met adds nothing.
    """

    def __init__(self, sizes: tuple[int, ...], width: int) -> None:
        super().__init__()
        starts = [0, *accumulate(sizes)]
        self.register_buffer("starts", torch.tensor(starts[:-1]), persistent=False)
        self.embedding = nn.Embedding(starts[-1], width)
        self.bias = nn.Parameter(_uniform(len(sizes), width))
        with torch.no_grad():
            self.embedding.weight.copy_(_uniform(starts[-1], width))
            for start in starts[:-1]:
                self.embedding.weight[start : start + KNOWN] = 0

    def forward(self, categories: Tensor) -> Tensor:
        """[B, C] int64 -> [B, C, D]."""
        starts: Tensor = self.starts
        found: Tensor = self.embedding(categories + starts)
        return found + self.bias


class FeatureTokens(nn.Module):
    """Every column of a row as a vector, numbers first."""

    def __init__(self, columns: Columns, width: int, numbers: nn.Module | None) -> None:
        """``numbers`` embeds them where there are any."""
        super().__init__()
        self.numbers = numbers
        self.categories = CategoryTokens(columns.sizes, width) if columns.sizes else None

    def forward(self, batch: Batch) -> Tensor:
        """``values`` and ``missing`` [B, N], ``categories`` [B, C] -> [B, N + C, D]."""
        found = []
        if self.numbers is not None:
            found.append(self.numbers(batch["values"], batch["missing"]))
        if self.categories is not None:
            found.append(self.categories(batch["categories"]))
        return torch.cat(found, dim=1)


def _uniform(count: int, width: int) -> Tensor:
    """[count, width], uniform within 1 / sqrt(width)."""
    bound = 1 / math.sqrt(width)
    return torch.empty(count, width).uniform_(-bound, bound)
