"""Span extraction: which token of a passage begins the answer, which ends it, or neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from multigraft import Brief, Features, MultigraftError, Objective, RowLoss
from multigraft.contracts.features import Batch
from multigraft.contracts.objectives import Outputs, Row
from multigraft.contracts.types import Arrays, Spec
from multigraft.runtime.answers.extraction import ANSWERABLE, null_threshold
from multigraft_text.question_answering.passage_rows import PassageRows

NONE = -1
"""The token that begins an answer that is not in the row."""


class ExtractionHead(nn.Module):
    """Dropout, and a linear layer each on every position and on the pooled vector."""

    def __init__(self, width: int, *, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.spans, self.null = nn.Linear(width, 2), nn.Linear(width, 2)
        for layer in (self.spans, self.null):
            nn.init.trunc_normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, features: Features, batch: Batch) -> Outputs:
        """[B, T, D] and [B, D] -> {"span_logits": [B, T, 2], "null_logits": [B, 2]}."""
        if features.sequence is None:
            raise MultigraftError("the backbone gives no features of positions to be chosen among")
        return {
            "span_logits": self.spans(self.dropout(features.sequence)),
            "null_logits": self.null(self.dropout(features.pooled)),
        }


class QuestionAnswering(PassageRows, Objective):
    """Cross-entropy of the tokens that begin and that end the answer, among those of the passage
    and none; the metrics are those of the answers.

    A long passage is learned from in windows; one without the whole answer has none.
    """

    brief: Brief

    def __init__(self, brief: Brief) -> None:
        super().__init__(brief)

    def head(self) -> nn.Module:
        """Linear layers from the backbone's width."""
        backbone: Any = self.brief.backbone
        return ExtractionHead(backbone.width, dropout=self.brief.options["dropout"])

    def parts(self, row: Row) -> Sequence[Row]:
        """The windows of its passage, each with the answers that it holds whole."""
        reader: Any = self.brief.reader
        windows = reader.windows((row["text"], row["text_pair"]))
        return [_piece(row, window["places"]) for window in windows] if windows[1:] else (row,)

    def encode(self, row: Row, arrays: Arrays) -> Arrays:
        """``span`` int64 [2]: the tokens that begin and end the first answer that the row holds
        whole; -1 each where it holds none."""
        found = (_tokens(each, arrays) for each in row["answers"])
        return {"span": np.array(next(filter(None, found), (NONE, NONE)), dtype=np.int64)}

    def loss(self, outputs: Outputs, batch: Batch) -> RowLoss:
        """Cross-entropy [B], the mean of both tokens'; each row weighs 1."""
        spans, null = outputs["span_logits"].float(), outputs["null_logits"].float()
        outside = (batch["places"][..., 2] < 0).unsqueeze(-1)
        choices = torch.cat([null.unsqueeze(1), spans.masked_fill(outside, -torch.inf)], 1)
        wanted = (batch["span"] + 1).unsqueeze(1)  # [B, 1, 2]; the first choice is none
        total = -choices.log_softmax(1).gather(1, wanted).mean((1, 2))
        return RowLoss(total, torch.ones_like(total).detach())

    def serve(self, features: Features, outputs: Outputs | None) -> Outputs:
        """``span_logits`` [B, T, 2] and ``null_logits`` [B, 2]."""
        if outputs is None:
            raise ValueError("an extractor is served with its head")
        return {name: value.float() for name, value in outputs.items()}

    def settle(self, kept: Mapping[str, np.ndarray]) -> Spec:
        """The threshold of the highest F1, where some of the rows in ``kept`` have no answer."""
        rows = kept.get("answers", np.ones((0, ANSWERABLE + 1)))
        if not self.unanswerable or rows[:, ANSWERABLE].all():
            return {}
        return {"threshold": null_threshold(rows)}


def _piece(row: Row, places: np.ndarray) -> Row:
    """A row of the passage from the first to the last character of these tokens."""
    real = places[places[:, 2] >= 0]
    low, high = (int(real[0, 0]), int(real[:, 1].max())) if len(real) else (0, 0)
    held = [
        {**each, "start": each["start"] - low}
        for each in row["answers"]
        if low <= each["start"] and each["start"] + len(each["text"]) <= high
    ]
    return {**row, "text_pair": row["text_pair"][low:high], "answers": held}


def _tokens(answer: Mapping[str, Any], arrays: Arrays) -> tuple[int, int] | None:
    """The first and the last token of an answer; None where it is not whole in the row."""
    first, after, word = arrays["places"].T
    start, end = answer["start"], answer["start"] + len(answer["text"])
    real = np.flatnonzero(word >= 0)
    inside = real[(first[real] < end) & (after[real] > start)]
    if not len(inside):
        return None
    cut_before = arrays["start"] > 0 and inside[0] == real[0] and first[inside[0]] > start
    cut_behind = arrays["rest"] > 0 and inside[-1] == real[-1] and after[inside[-1]] < end
    return None if cut_before or cut_behind else (int(inside[0]), int(inside[-1]))
