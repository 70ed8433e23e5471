"""A stranger's plugin with spans as targets and as answers: who and where, in little texts.

Torch-free but for what it names: its network and objective are in `span_toy_network`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import multigraft as mg
from multigraft.contracts.types import Answer, Arrays, Spec

WORDS, BUCKETS = 12, 499
"""A row holds so many words, of which there are so many kinds."""
NAMES = ("Ada", "Grace Hopper", "May", "Alan Mathison Turing")
PLACES = ("Rome", "New York", "Oslo")
FILLERS = ("met", "in", "saw", "near", "the", "rain", "left", "May", "spring", "bread")
Span = tuple[int, int, str]
"""First character, the one after the last, label."""


class WordsReader:
    """``"Ada left"`` -> ``ids`` int64 [T], and ``places`` int64 [T, 2], which no graph takes."""

    fills: Mapping[str, float] = {"ids": 0, "mask": 0, "places": 0}

    def __init__(self, spec: Spec) -> None:
        self._spec = spec

    def read(self, raw: Any) -> Arrays:
        return self.windows(raw)[0]

    def windows(self, raw: Any) -> list[Arrays]:
        """Half of a window is the next one's too."""
        words = list(re.finditer(r"\S+", raw)) if isinstance(raw, str) else []
        if not words:
            raise mg.RowError("holds no words")
        step, most = WORDS // 2, WORDS
        starts = range(0, max(1, len(words) - step), step)
        return [_row(words[start : start + most]) for start in starts]

    def length(self, row: Arrays) -> int:
        return len(row["ids"])

    def spec(self) -> Spec:
        return self._spec


def _row(words: Sequence[re.Match[str]]) -> Arrays:
    kinds = [1 + zlib.crc32(word.group().encode()) % (BUCKETS - 1) for word in words]
    return {
        "ids": np.array(kinds, np.int64),
        "mask": np.ones(len(words), np.int64),
        "places": np.array([word.span() for word in words], np.int64),
    }


class Spans(mg.Answers):
    """``{"spans": [{start, end, label, text, score}]}`` in the places of the raw text.

    Tag 0 is outside, 2i + 1 begins a span of label i, and 2i + 2 goes on with it.
    """

    asks: Mapping[str, mg.Option] = {
        "at_least": mg.Option(default=0.0, low=0, high=1, help="leave out spans less sure")
    }
    joins = True

    def __init__(self, targets: Spec) -> None:
        self._labels: list[str] = targets["labels"]

    def answer(self, raw: Any, windows: Sequence[mg.Window], asked: Mapping[str, Any]) -> Answer:
        """Words that stand in two windows are read in the first one."""
        words: dict[tuple[int, int], np.ndarray] = {}
        for window in windows:
            real = window.outputs["logits"][: window.length]
            for place, logits in zip(window.row["places"].tolist(), real, strict=True):
                words.setdefault(tuple(place), logits)
        found = [
            {"start": start, "end": end, "label": label, "text": raw[start:end], "score": score}
            for start, end, label, score in self._spans(words)
        ]
        return {"spans": [span for span in found if span["score"] >= asked["at_least"]]}

    def _spans(
        self, words: Mapping[tuple[int, int], np.ndarray]
    ) -> Iterator[tuple[int, int, str, float]]:
        open_span: tuple[int, int, str, float] | None = None
        for (start, end), logits in words.items():
            exponents = np.exp(logits.astype(np.float64) - logits.max())
            tag, sure = int(logits.argmax()), float(exponents.max() / exponents.sum())
            label = self._labels[(tag - 1) // 2] if tag else ""
            if open_span is not None and tag and tag % 2 == 0 and open_span[2] == label:
                open_span = (open_span[0], end, label, min(open_span[3], sure))
                continue
            if open_span is not None:
                yield open_span
            open_span = (start, end, label, sure) if tag % 2 else None
        if open_span is not None:
            yield open_span

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """How many spans are right, answered, and expected: [3]."""
        answered = {(span["start"], span["end"], span["label"]) for span in answer["spans"]}
        expected = set(parsed(row["spans"]))
        return {"spans": np.array([len(answered & expected), len(answered), len(expected)])}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Precision and recall of spans over all rows, and their harmonic mean."""
        right, answered, expected = kept["spans"].sum(0).tolist()
        return {
            "precision_span": right / max(answered, 1),
            "recall_span": right / max(expected, 1),
            "f1_span": 2 * right / max(answered + expected, 1),
        }


def parsed(cell: Any) -> list[Span]:
    """``"0-3:who 12-16:where"`` -> its spans. Raises RowError.

    >>> parsed("0-3:who")
    [(0, 3, 'who')]
    """
    spans = [re.fullmatch(r"(\d+)-(\d+):(\w+)", each) for each in str(cell or "").split()]
    found = [(int(each[1]), int(each[2]), each[3]) for each in spans if each is not None]
    if len(found) < len(spans):
        raise mg.RowError(f"{cell!r} holds what is no span", column="spans")
    return found


def label_spec(columns: Mapping[str, Sequence[Any]]) -> Spec:
    """The labels that occur."""
    return {"labels": sorted({label for cell in columns["spans"] for *_, label in parsed(cell)})}


def made(rng: np.random.Generator, words: int) -> tuple[str, str]:
    """A text of at least so many words, and its spans."""
    text, spans = "", []
    while len(text.split()) < words:
        kind = rng.choice(["who", "where", ""], p=[0.2, 0.2, 0.6])
        chosen = str(rng.choice({"who": NAMES, "where": PLACES, "": FILLERS}[kind]))
        start = len(text) + (1 if text else 0)
        text = f"{text} {chosen}" if text else chosen
        spans += [f"{start}-{len(text)}:{kind}"] if kind else []
    return text, " ".join(spans)


def good(rng: np.random.Generator, count: int, folder: Path) -> list[Any]:
    return [made(rng, int(rng.integers(4, 10)))[0] for _ in range(count)]


def samples(rng: np.random.Generator, raws: Sequence[Any]) -> Mapping[str, Sequence[Any]]:
    """The spans that the names in made-up texts are."""
    labels = dict.fromkeys(NAMES, "who") | dict.fromkeys(PLACES, "where")
    return {
        "spans": [
            " ".join(
                f"{found.start()}-{found.end()}:{labels[found.group()]}"
                for found in re.finditer("|".join(labels), raw)
            )
            for raw in raws
        ]
    }


@mg.hookimpl
def register_modalities() -> list[mg.Modality]:
    bad = ["", " ", 3]
    return [
        mg.Modality(
            name="words",
            reader=WordsReader,
            columns=("words",),
            samples=mg.Samples(good=good, bad=lambda folder: bad),
        )
    ]


@mg.hookimpl
def register_backbones() -> list[mg.Backbone]:
    return [
        mg.Backbone(
            name="wordnet",
            modality="words",
            sizes={"tiny": mg.Size()},
            build=mg.Lazy("helpers.span_toy_network:build"),
            reader=lambda origin, options: {"kind": "words"},
        )
    ]


@mg.hookimpl
def register_tasks() -> list[mg.Task]:
    return [
        mg.Task(
            name="who-and-where",
            stage="finetune",
            modalities=("words",),
            columns=("spans",),
            targets=label_spec,
            objective=mg.Lazy("helpers.span_toy_network:Tagging"),
            answers=Spans,
            samples=samples,
        )
    ]
