"""The network and the objective of the span toy."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import multigraft as mg
from helpers.residual_network import ResidualNet, building
from helpers.span_toy import BUCKETS, parsed
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Objective, Outputs, Row
from multigraft.contracts.types import Arrays

WIDTH, IGNORED = 16, -100


class WordNet(ResidualNet):
    """Words by themselves: it cannot know in which sense May is meant."""

    width = WIDTH

    def __init__(self) -> None:
        super().__init__(nn.Embedding(BUCKETS, WIDTH), WIDTH)

    def inputs(self, batch: Batch) -> Tensor:
        return batch["ids"]


build = building(WordNet)


class TagHead(nn.Module):
    def __init__(self, tags: int) -> None:
        super().__init__()
        self.linear = nn.Linear(WIDTH, tags)

    def forward(self, features: mg.Features, batch: Batch) -> Outputs:
        return {"logits": self.linear(features.sequence)}


class Tagging(Objective):
    """A tag for each word; the metric that counts is that of the spans which people get."""

    monitor = "f1_span"
    greater_is_better = True
    fills: Mapping[str, float] = {"tags": IGNORED}

    def __init__(self, brief: mg.Brief) -> None:
        self.labels: list[str] = brief.targets["labels"]

    def head(self) -> nn.Module:
        return TagHead(1 + 2 * len(self.labels))

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """A word within a span begins it or goes on with it."""
        spans, places = parsed(row["spans"]), arrays["places"].tolist()
        tags = np.zeros(len(places), np.int64)
        for word, (start, end) in enumerate(places):
            for first, last, label in spans:
                if first <= start and end <= last:
                    tags[word] = 1 + 2 * self.labels.index(label) + int(start > first)
        return {"tags": tags}

    def loss(self, outputs: Outputs, batch: Batch) -> mg.RowLoss:
        losses = F.cross_entropy(
            outputs["logits"].float().transpose(1, 2),
            batch["tags"],
            ignore_index=IGNORED,
            reduction="none",
        )
        return mg.RowLoss(losses.sum(1), (batch["tags"] != IGNORED).sum(1).float())

    def serve(self, features: mg.Features, outputs: Outputs | None) -> Outputs:
        assert outputs is not None
        return {"logits": outputs["logits"].float()}

    def measure(self, outputs: Outputs, batch: Batch, loss: mg.RowLoss) -> dict[str, Tensor]:
        """Of each tag, how many words have it and how many of them are told: [B, tags, 2]."""
        real, found = batch["tags"], outputs["logits"].argmax(-1)
        tags = torch.arange(1 + 2 * len(self.labels), device=real.device)
        has = real.unsqueeze(-1) == tags
        told = has & (found.unsqueeze(-1) == tags)
        counts = torch.stack([told.sum(1), has.sum(1)], dim=-1)
        return {**super().measure(outputs, batch, loss), "words": counts}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> dict[str, float]:
        told, all_ = kept["words"].sum((0, 1)).tolist()
        return {**super().summarise(kept), "accuracy_words": told / all_}


def table(path: Path, count: int, *, seed: int = 0, words: tuple[int, int] = (3, 16)) -> Path:
    """A table of made-up texts; those beyond twelve words are cut."""
    from helpers.span_toy import made

    rng = np.random.default_rng(seed)
    rows = [made(rng, int(rng.integers(*words))) for _ in range(count)]
    lines: list[Any] = ["words,spans", *(f"{text},{spans}" for text, spans in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path
