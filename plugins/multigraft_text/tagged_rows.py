"""Rows whose tokens have tags, without torch: which they are, and how many spans there are of each
type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from multigraft import RowBrief, RowError, RowObjective
from multigraft.contracts.row_objectives import Row
from multigraft.contracts.types import Arrays
from multigraft.errors import did_you_mean, shown
from multigraft.runtime.answers.span_scores import ANSWERED, EXPECTED
from multigraft.runtime.answers.tagging import OUTSIDE
from multigraft.runtime.answers.text_words import WORDS, Words, word_starts

IGNORED = -100
"""The tag of a position without one: padding, and what stands around a text."""


class TaggedRows(RowObjective):
    """Rows with spans of types that the training rows had; the metrics are those of the answers."""

    monitor = "f1"
    greater_is_better = True
    fills: Mapping[str, float] = {"tags": IGNORED}

    def __init__(self, brief: RowBrief) -> None:
        self.brief = brief
        self.labels: tuple[str, ...] = tuple(brief.targets["labels"])
        self.index = {label: number for number, label in enumerate(self.labels)}
        said = brief.targets.get("words")
        self.words: Words | None = next((each for each in WORDS if each == said), None)
        """What a word is (see `text_words`); None: each token is one."""

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
