"""Token classification: a tag for each token, which begins a span of some type, goes on with one,
or is outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import nn
from torch.nn import functional as F

from multigraft import Brief, Features, MultigraftError, Objective, RowError, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs, Row
from multigraft.contracts.types import Arrays
from multigraft.errors import did_you_mean, shown
from multigraft.runtime.answers.span_scores import ANSWERED, EXPECTED
from multigraft.runtime.answers.tagging import OUTSIDE
from multigraft.runtime.answers.text_words import WORDS, Words, word_starts

IGNORED = -100
"""The tag of a position without one: padding, and what stands around a text."""


class TaggingHead(nn.Module):
    """Dropout, one linear layer and log-softmax on each position: ``log_probabilities``."""

    def __init__(self, width: int, tags: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, tags)
        nn.init.trunc_normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """[B, T, D] -> {"log_probabilities": [B, T, tags]}."""
        if features.sequence is None:
            raise MultigraftError("the backbone gives no features of positions to be tagged")
        logits = self.linear(self.dropout(features.sequence))
        return {"log_probabilities": logits.float().log_softmax(-1)}


class TokenClassification(Objective):
    """Cross-entropy of the tags of tokens, usually of each word's first one, which answers read;
    the metrics are those of the answers.

    Batches are drawn at random: in batches of like length the few tags of short rows weigh as much
    as the many of long ones.
    """

    monitor = "f1"
    greater_is_better = True
    random_batches = True
    fills: Mapping[str, float] = {"tags": IGNORED}

    def __init__(self, brief: Brief) -> None:
        self.brief = brief
        self.labels: tuple[str, ...] = tuple(brief.targets["labels"])
        self.index = {label: number for number, label in enumerate(self.labels)}
        said = brief.targets.get("words")
        self.words: Words | None = next((each for each in WORDS if each == said), None)
        """What a word is (see `text_words`); None: each token is one."""

    def head(self) -> nn.Module:
        """A linear layer from the backbone's width to the tags."""
        backbone: Any = self.brief.backbone
        return TaggingHead(
            backbone.width, 1 + 2 * len(self.labels), dropout=self.brief.options["dropout"]
        )

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``tags`` int64 [T]: of each span's tokens the first begins it, and the others go on; with
        ``pieces: first`` only the first token of a word has one.

        Raises RowError for a type that training never saw.
        """
        first, after, word = arrays["places"].T
        tags = np.where(word < 0, IGNORED, OUTSIDE)
        for span in row["spans"]:
            inside = (first < span["end"]) & (after > span["start"]) & (tags == OUTSIDE)
            tags[inside] = 2 * self._number(span["label"]) + 2
            tags[np.flatnonzero(inside)[:1]] -= 1
        if self.brief.options["pieces"] == "first":
            real = np.flatnonzero(word >= 0)
            starts = word_starts(row["text"], arrays["places"][real], self.words)
            tags[np.delete(real, starts)] = IGNORED
        return {"tags": tags}

    def _number(self, label: str) -> int:
        if label not in self.index:
            raise RowError(
                f"type {shown(label)} was not seen in training; {did_you_mean(label, self.labels)}",
                column="spans",
            )
        return self.index[label]

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Cross-entropy [B], summed over the real tokens; its weight is their number."""
        tags = batch["tags"]
        told = outputs["log_probabilities"].float().transpose(1, 2)
        each = F.nll_loss(told, tags, ignore_index=IGNORED, reduction="none")
        return RowLoss(each.sum(1), (tags != IGNORED).sum(1).float())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``log_probabilities`` [B, T, tags]."""
        if outputs is None:
            raise ValueError("a tagger is served with its head")
        return outputs

    def details(self, kept: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """How many spans of each type there are, and were answered."""
        if "spans" not in kept:
            return {}
        counts = kept["spans"].sum(0)
        return {
            "label_counts": {
                "labels": self.labels,
                "expected": counts[:, EXPECTED].tolist(),
                "answered": counts[:, ANSWERED].tolist(),
            }
        }

    def sequence_head(self, head: nn.Module) -> tuple[nn.Linear, Sequence[str]] | None:
        """The linear layer of `TaggingHead`, with the tags as BIO writes them."""
        if not isinstance(head, TaggingHead):
            return None
        begun = [f"{prefix}-{label}" for label in self.labels for prefix in "BI"]
        return head.linear, ["O", *begun]
