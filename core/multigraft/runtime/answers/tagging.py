"""Answers that are spans of a text, each of a type: entities, parts of speech."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.span_scores import (
    ANSWERED,
    EXPECTED,
    RIGHT,
    span_counts,
    span_metrics,
)
from multigraft.runtime.answers.text_words import WORDS, Words, word_starts

OUTSIDE = 0
"""The tag of a token of no span; 2i + 1 begins one of type i, and 2i + 2 goes on with it."""


class Tagging(Answers):
    """``{"entities": [{start, end, text, label, score}]}``, in characters of the raw text.

    The graph gives ``log_probabilities`` [T, 1 + 2 types] of the tags of tokens, and rows hold
    ``places`` [T, 3]: a token's first character, the one after its last, and its word, or -1 for a
    token of none. The most probable sequence of tags is told in which nothing goes on that was not
    begun (Viterbi 1967); where the targets say what ``words`` are (see `text_words`), the first
    token of each tells its tag. Windows are joined in the middle of what they share. A span's
    score is the mean probability of its words' tags.
    """

    asks: Mapping[str, Option] = {
        "threshold": Option(
            default=None, types=(int, float), low=0, high=1, help="leave out entities less sure"
        )
    }
    joins = True

    def __init__(self, targets: Spec) -> None:
        labels = targets.get("labels")
        self._labels: list[str] = labels if isinstance(labels, list) else []
        words = targets.get("words")
        self._words: Words | None = next((each for each in WORDS if each == words), None)

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs and the types do not belong together."""
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw
        places, chances = join_windows(windows)
        if chances.shape[-1] != 1 + 2 * len(self._labels):
            raise BundleError(
                f"the graph tells {chances.shape[-1]} tags apart; {1 + 2 * len(self._labels)} are "
                f"needed for {len(self._labels)} types"
            )
        if not np.isfinite(chances).all():
            raise BundleError("the graph gives values that are no numbers; export the run again")
        found = self._spans(text, places, chances) if len(places) else ()
        bar = asked["threshold"]
        return {"entities": [each for each in found if bar is None or each["score"] >= bar]}

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """Counts [types, 5] of spans (see `span_counts`)."""
        return {"spans": span_counts(answer["entities"], row["spans"], self._labels)}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Precision, recall and F1 of whole spans, of all, by type, and of spans that overlap."""
        return span_metrics(kept["spans"].sum(0), self._labels)

    def right(self, kept: Mapping[str, np.ndarray]) -> np.ndarray:
        """The rows of which all spans were found, and no other."""
        counts = kept["spans"].sum(1)
        found, told, wanted = (counts[:, part] for part in (RIGHT, ANSWERED, EXPECTED))
        return (found == told) & (found == wanted)

    def _spans(self, text: str, places: np.ndarray, chances: np.ndarray) -> Iterator[Answer]:
        starts = word_starts(text, places, self._words)
        chances = chances[starts]
        tags = best_tags(chances)
        sure = np.exp(np.take_along_axis(chances, tags[:, None], 1)[:, 0].astype(np.float64))
        ends = [*starts[1:].tolist(), len(places)]
        for first, last in _runs(tags):
            start, after = int(starts[first]), ends[last]
            span = int(places[start, 0]), int(places[start:after, 1].max())
            yield {
                "start": span[0],
                "end": span[1],
                "text": text[span[0] : span[1]],
                "label": self._labels[(int(tags[first]) - 1) // 2],
                "score": min(float(sure[first : last + 1].mean()), 1.0),
            }


def best_tags(chances: np.ndarray) -> np.ndarray:
    """The most probable sequence of tags [T] in which nothing goes on that was not begun.

    >>> best_tags(np.log([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])).tolist()
    [1, 2]
    """
    tags: np.ndarray = chances.argmax(-1)
    before = np.concatenate([[OUTSIDE], tags[:-1]])
    goes_on = (tags > OUTSIDE) & (tags % 2 == 0)
    if not (goes_on & (before != tags) & (before != tags - 1)).any():
        return tags  # nothing is more probable than each by itself
    return _viterbi(chances)


def _viterbi(chances: np.ndarray) -> np.ndarray:
    begun = np.arange(1, chances.shape[1], 2)
    total = chances[0].astype(np.float64)
    total[begun + 1] = -np.inf
    back = np.zeros(chances.shape, dtype=np.int64)
    for token in range(1, len(chances)):
        back[token] = total.argmax()
        from_inside = total[begun + 1] > total[begun]
        back[token, begun + 1] = begun + from_inside
        total = chances[token] + total[back[token]]
    tags = np.empty(len(chances), dtype=np.int64)
    tags[-1] = total.argmax()
    for token in range(len(chances) - 1, 0, -1):
        tags[token - 1] = back[token, tags[token]]
    return tags


def _runs(tags: np.ndarray) -> Iterator[tuple[int, int]]:
    """The spans that tags make: (first, last)."""
    begun = np.flatnonzero(tags % 2 == 1)
    for first in begun.tolist():
        last = first
        while last + 1 < len(tags) and tags[last + 1] == tags[first] + 1:
            last += 1
        yield first, last


def join_windows(windows: Sequence[Window]) -> tuple[np.ndarray, np.ndarray]:
    """The tokens of a text that was read in windows, each once: places [T, 3], outputs [T, tags].

    What two windows share goes to the first until its middle, and then to the second.
    """
    parts = [_real(window) for window in windows]
    cuts = [0, *(_seam(one[0], other[0]) for one, other in pairwise(parts))]
    pieces = [
        (places[keep], chances[keep])
        for (places, chances), low, high in zip(parts, cuts, [*cuts[1:], np.inf], strict=True)
        for keep in [(places[:, 0] >= low) & (places[:, 0] < high)]
    ]
    return np.concatenate([each for each, _ in pieces]), np.concatenate(
        [each for _, each in pieces]
    )


def _real(window: Window) -> tuple[np.ndarray, np.ndarray]:
    places = window.row["places"]
    real = places[:, 2] >= 0
    return places[real], window.outputs["log_probabilities"][: len(places)][real]


def _seam(before: np.ndarray, behind: np.ndarray) -> int:
    """The character from which on the second of two windows is believed."""
    if not len(before) or not len(behind):
        return int(before[-1, 1]) if len(before) else 0
    shared = int((behind[:, 0] < before[-1, 1]).sum())
    return int(behind[min(shared // 2, len(behind) - 1), 0])
