"""Answers that are a piece of a passage: extractive question answering."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError
from multigraft.runtime.answers.text_scores.squad import squad_scores

SURE, EXACT, F1, ANSWERABLE = range(4)
HALF = 0.5
"""The threshold until one is settled, where some questions have no answer."""
NOTHING = {"text": None, "start": None, "end": None}


@dataclass(frozen=True)
class Span:
    """A piece of a passage, and how much more likely than no answer it is in its window."""

    odds: float
    """Logarithm."""
    start: int
    end: int


class Extraction(Answers):
    """``{"text", "start", "end", "score"}``, in characters of the passage.

    The graph gives ``span_logits`` [T, 2], of tokens that begin and that end the answer, and
    ``null_logits`` [2], the same of there being none. Rows hold ``places`` [T, 3]: the passage's
    characters of each token, and -1 as word of tokens that are not the passage's. Of all windows
    the span is told that is likeliest beside no answer (Devlin et al. 2019, 4.3); ``score`` is its
    probability where it and no answer are the only two. Below the threshold that is settled, or
    asked for, text and places are None, and ``best`` has what would have been told.
    """

    asks: Mapping[str, Option] = {
        "threshold": Option(
            default=None,
            types=(int, float),
            low=0,
            high=1,
            help="say that there is no answer where the best one is less sure; unset: as the "
            "validation rows settled it",
        )
    }
    joins = True
    windows = True

    def __init__(self, targets: Spec) -> None:
        longest = targets.get("longest")
        self._longest = longest if type(longest) is int and longest > 0 else 1
        self._unanswerable = targets.get("unanswerable") is True
        self._settled = _share(targets.get("threshold"))

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs are no numbers or not of the tokens."""
        passage = raw[1].decode("utf-8") if isinstance(raw[1], bytes) else raw[1]
        spans = [span for window in windows if (span := best_span(window, self._longest))]
        if not spans:
            raise BundleError("no window has a token of the passage; export the run again")
        best = max(spans, key=lambda span: span.odds)
        told = {"text": passage[best.start : best.end], "start": best.start, "end": best.end}
        sure = 1 / (1 + math.exp(-best.odds)) if best.odds > -700 else 0.0
        wanted = asked["threshold"]
        if sure >= (self._threshold() if wanted is None else wanted):
            return {**told, "score": sure}
        return {**NOTHING, "score": sure, "best": told}

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """[4]: how sure the best answer is, its exact match and F1, and whether there is one."""
        expected = [each["text"] for each in row["answers"]]
        told = answer["text"] if answer["text"] is not None else answer["best"]["text"]
        scores = squad_scores(told, *expected)
        return {"answers": np.array([answer["score"], *scores, float(bool(expected))])}

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Exact match and F1, 0 to 1; where questions may have no answer, of both kinds apart.

        In training, before a threshold is settled, an epoch is judged with the one that its own
        validation rows would settle.
        """
        rows = kept["answers"]
        return squad_metrics(rows, self._bar(rows), apart=self._unanswerable)

    def right(self, kept: Mapping[str, np.ndarray]) -> np.ndarray:
        """The rows of which exactly an expected answer is told, or rightly none."""
        sure, exact, _, answerable = kept["answers"].T
        told = sure >= self._bar(kept["answers"])
        return np.where(told, (exact == 1) & (answerable == 1), answerable == 0)

    def _threshold(self) -> float:
        if not self._unanswerable:
            return 0.0
        return HALF if self._settled is None else self._settled

    def _bar(self, rows: np.ndarray) -> float:
        if self._unanswerable and self._settled is None:
            return null_threshold(rows)
        return self._threshold()


def best_span(window: Window, longest: int) -> Span | None:
    """The likeliest piece of a window's passage of at most so many characters; None without any.

    A token that is longer than that is a piece by itself. Raises BundleError.
    """
    places = window.row["places"]
    real = np.flatnonzero(places[:, 2] >= 0)
    logits, null = window.outputs["span_logits"], window.outputs["null_logits"]
    if logits.shape[1:] != (2,) or null.shape != (2,) or len(logits) < len(places):
        raise BundleError(
            f"the graph gives span_logits {list(logits.shape)} and null_logits "
            f"{list(null.shape)} for {len(places)} tokens; [tokens, 2] and [2] are needed"
        )
    begins, ends = (logits[real].astype(np.float64) - null.astype(np.float64)).T
    if not np.isfinite(begins).all() or not np.isfinite(ends).all():
        raise BundleError("the graph gives values that are no numbers; export the run again")
    first, after = places[real, 0], places[real, 1]
    found: Span | None = None
    for more in range(len(real)):
        fits = after[more:] - first[: len(real) - more] <= longest
        if more and not fits.any():
            break
        odds = begins[: len(real) - more] + ends[more:]
        odds = np.where(fits, odds, -np.inf) if more else odds
        at = int(odds.argmax())
        if found is None or odds[at] > found.odds:
            found = Span(float(odds[at]), int(first[at]), int(after[at + more]))
    return found


def null_threshold(rows: np.ndarray) -> float:
    """The threshold of the highest F1 on rows [N, 4]; in the middle between two rows' scores.

    >>> null_threshold(np.array([[0.9, 1, 1, 1], [0.7, 0, 0, 0], [0.2, 0, 0, 0]]))
    0.8
    """
    rows = rows[np.argsort(-rows[:, SURE], kind="stable")]
    gained = np.where(rows[:, ANSWERABLE] == 1, rows[:, F1], -1.0)
    bounds = np.concatenate([[1.0], rows[:, SURE], [0.0]])
    totals = np.concatenate([[0.0], np.cumsum(gained)])
    totals[:-1][bounds[1:-1] == bounds[:-2]] = -np.inf  # no threshold parts equal scores
    best = int(totals.argmax())
    return float(bounds[best] + bounds[best + 1]) / 2


def squad_metrics(rows: np.ndarray, threshold: float, *, apart: bool) -> dict[str, float]:
    """Exact match and F1 of rows [N, 4] where what is less sure is no answer; with ``apart`` also
    of the answerable rows alone, and how many of the others are left without an answer."""
    told, there = rows[:, SURE] >= threshold, rows[:, ANSWERABLE] == 1
    exact, f1 = (np.where(told, rows[:, each] * there, ~there) for each in (EXACT, F1))
    every = {"exact_match": float(exact.mean()), "f1": float(f1.mean())}
    if not apart:
        return every
    return {
        **every,
        "exact_match_answerable": _mean(exact[there]),
        "f1_answerable": _mean(f1[there]),
        "no_answer_accuracy": _mean(f1[~there]),
    }


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _share(value: Any) -> float | None:
    return float(value) if type(value) in (int, float) and 0 <= value <= 1 else None
