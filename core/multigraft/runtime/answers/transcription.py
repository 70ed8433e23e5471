"""Answers that are what is said in a sound: its text, with the time of each word."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np

from multigraft.contracts.answers import Answers, Window
from multigraft.contracts.records import Option
from multigraft.contracts.types import Answer, Spec
from multigraft.errors import BundleError, refused_as
from multigraft.runtime.answers.ctc_decoding.alignment import Spoken, align, best_path
from multigraft.runtime.answers.ctc_decoding.arpa import NGrams, parse_arpa
from multigraft.runtime.answers.ctc_decoding.prefix_beam_search import (
    prefix_beam_search,
    stretches,
)
from multigraft.runtime.answers.ctc_decoding.seams import Frames, join_windows
from multigraft.runtime.answers.ctc_decoding.word_scores import (
    HotWords,
    SummedScores,
    TokenScores,
    WordScores,
)
from multigraft.runtime.answers.text_scores.error_rate import (
    DELETED,
    INSERTED,
    RIGHT,
    SUBSTITUTED,
    characters,
    edit_counts,
    error_rate,
    words,
)
from multigraft.runtime.answers.text_scores.normalization import normalised

UNLIKELY = math.log(1e-4)
"""Less probable tokens begin nothing in a beam search."""
LONGEST = 1500
"""Frames that one beam search goes over: half a minute."""
HOT = 5.0
"""What a hot word gains, in log-probability."""
HOT_BEAMS = 16
"""The fewest beams of a search for hot words."""
KINDS = {"substitutions": SUBSTITUTED, "insertions": INSERTED, "deletions": DELETED}


class Transcription(Answers):
    """``{"text", "score", "words": [{text, start, end, score}]}``, in seconds.

    The graph gives ``log_probabilities`` [T, V] of tokens by CTC, and ``times`` [T], the second in
    whose middle each frame lies, or -1 for padding. Targets say what each token writes
    (``vocabulary``) and which is the ``blank``; their ``language_model``, as ``{arpa, weight,
    bonus}``, scores words in a search with more than one beam.

    A word's time is from its first to its last character's frames of the most probable alignment. A
    character's score is the mean probability of its token in those, that of a word or a text the
    mean of its characters', and of a text without any that of the blank.
    """

    asks: Mapping[str, Option] = {
        "beams": Option(
            default=1,
            low=1,
            high=256,
            help="texts kept in a search over all alignments; 1: the best alignment's text",
        ),
        "hot_words": Option(
            default="",
            help="words, a space between two, that a search prefers where a sound leaves it open; "
            f"{HOT_BEAMS} beams at least are then kept",
        ),
        "characters": Option(default=False, help="tell each character's time too"),
    }
    joins = True
    windows = True  # a text of the beginning alone would be another text than was said

    def __init__(self, targets: Spec) -> None:
        listed = targets.get("vocabulary")
        self._writes: list[str] = listed if isinstance(listed, list) else []
        self.blank = int(targets.get("blank", 0))
        self._model = targets.get("language_model")
        self._rules: Mapping[str, str] = targets.get("normalization") or {}

    def answer(self, raw: Any, windows: Sequence[Window], asked: Mapping[str, Any]) -> Answer:
        """Raises BundleError where the outputs and the vocabulary do not belong together."""
        return self.heard(join_windows(windows, self.blank), asked)

    def heard(self, frames: Frames, asked: Mapping[str, Any]) -> Answer:
        """The same of frames, [T, V] and [T]."""
        chances, times = frames
        self._check(chances)
        hot = frozenset(words(asked["hot_words"].casefold()))
        said = self._decoded(chances, max(asked["beams"], HOT_BEAMS if hot else 1), hot)
        told = [*self._characters(said, chances, times)]
        spoken = [_joined(list(each)) for blank, each in groupby(told, _is_space) if not blank]
        found: Answer = {
            "text": " ".join(each["text"] for each in spoken),
            "score": _mean([each["score"] for each in told if not _is_space(each)])
            if spoken
            else _mean(np.exp(chances[:, self.blank])),
            "words": spoken,
        }
        return {**found, "characters": told} if asked["characters"] else found

    def score(self, answer: Answer, row: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        """Edits [4] of words and of characters (see `edit_counts`) of what is said, normalised as
        transcripts are."""
        said, wanted = answer["text"], row["text"]
        if self._rules:
            said = normalised(said, **self._rules)
        return {
            "words": edit_counts(words(said), words(wanted)),
            "characters": edit_counts(characters(said), characters(wanted)),
        }

    def right(self, kept: Mapping[str, np.ndarray]) -> np.ndarray:
        """The rows of which every character is right, and none too many."""
        counts = kept["characters"]
        return counts[:, RIGHT] == counts.sum(1)

    def summarise(self, kept: Mapping[str, np.ndarray]) -> Mapping[str, float]:
        """Error rates of words (``wer``) and of characters (``cer``), and what each is made of, all
        as shares of what was expected."""
        found: dict[str, float] = {}
        for short, units in (("wer", "words"), ("cer", "characters")):
            counts = kept[units].sum(0)
            rate = error_rate(counts)
            found[short] = rate
            each = rate / max(int(counts[list(KINDS.values())].sum()), 1)
            found |= {f"{short}_{name}": each * int(counts[at]) for name, at in KINDS.items()}
        return found

    def _check(self, chances: np.ndarray) -> None:
        if chances.ndim != 2 or chances.shape[1] != len(self._writes):
            raise BundleError(
                f"the graph tells {chances.shape[-1]} tokens apart; the vocabulary has "
                f"{len(self._writes)}"
            )
        if np.isnan(chances).any():
            raise BundleError("the graph gives values that are no numbers; export the run again")

    def _decoded(self, chances: np.ndarray, beams: int, hot: frozenset[str]) -> list[Spoken]:
        if beams == 1:
            return best_path(chances, self.blank)
        scores = self._scores(hot)
        return [
            replace(each, first=piece.start + each.first, last=piece.start + each.last)
            for piece in stretches(chances, self.blank, longest=LONGEST)
            for each in self._searched(chances[piece], beams, scores)
        ]

    def _scores(self, hot: frozenset[str]) -> TokenScores | None:
        parts: list[WordScores] = [] if self._language is None else [self._language]
        if hot:
            parts.append(HotWords(hot, HOT))
        return TokenScores(SummedScores(tuple(parts)), self._writes) if parts else None

    @cached_property
    def _language(self) -> NGrams | None:
        if self._model is None:
            return None
        with refused_as(BundleError, "the bundle's language model cannot be read"):
            return parse_arpa(
                self._model["arpa"], weight=self._model["weight"], bonus=self._model["bonus"]
            )

    def _searched(
        self, chances: np.ndarray, beams: int, scores: TokenScores | None
    ) -> list[Spoken]:
        found = prefix_beam_search(
            chances, self.blank, beams=beams, unlikely=UNLIKELY, scores=scores
        )
        return align(chances, found[0][0], self.blank)

    def _characters(
        self, said: Sequence[Spoken], chances: np.ndarray, times: np.ndarray
    ) -> Iterator[Answer]:
        """What is written, a token each, with its time."""
        half = _frame_seconds(times) / 2
        for each in said:
            if not (text := self._writes[each.token]):
                continue
            sure = np.exp(chances[each.first : each.last + 1, each.token])
            yield {
                "text": text,
                "start": round(max(float(times[each.first]) - half, 0.0), 3),
                "end": round(float(times[each.last]) + half, 3),
                "score": _mean(sure),
            }


def _is_space(character: Answer) -> bool:
    blank: bool = character["text"].isspace()
    return blank


def _joined(characters: Sequence[Answer]) -> Answer:
    """A word of its characters."""
    return {
        "text": "".join(each["text"] for each in characters),
        "start": characters[0]["start"],
        "end": characters[-1]["end"],
        "score": _mean([each["score"] for each in characters]),
    }


def _frame_seconds(times: np.ndarray) -> float:
    """How long one frame is; of a single one, which lies in the middle of its time, twice that."""
    if len(times) < 2:
        return 2 * float(times.sum())
    return float(times[-1] - times[0]) / (len(times) - 1)


def _mean(values: Sequence[float] | np.ndarray) -> float:
    return min(float(np.mean(values, dtype=np.float64)), 1.0) if len(values) else 0.0
