"""Beam search, which keeps several texts of a prompt and gives the likeliest that ended.

The order of comparisons is that of transformers with ``early_stopping=False``: a text that ends
counts only while it is among the best ``beams`` candidates, and a prompt is done once its best
running text, scored at its present length, is no better than the worst of ``beams`` ended ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from multigraft.runtime.generation.decoder_cache import Decoding, left_padded
from multigraft.runtime.generation.methods import Line
from multigraft.runtime.generation.options import Settings
from multigraft.runtime.generation.sampling import log_softmax, penalise, without_repeats
from multigraft.runtime.generation.text import Ended, Stops

NEVER = np.float32(-1e9)
"""The score of a beam that must not be chosen."""
GROUP = 64
"""Scores of which the highest is looked at first."""


@dataclass(frozen=True)
class Candidate:
    """A running text with one more token."""

    score: np.float32
    """Its log-likelihood."""
    parent: int
    tokens: list[int]
    ended: Ended | None


@dataclass
class Search:
    """The beams of one prompt."""

    line: Line
    settings: Settings
    stops: Stops
    suppress: Sequence[int]
    """Tokens that are never written."""
    suppress_first: Sequence[int] = ()
    """Tokens that are not written as the first."""
    running: list[list[int]] = field(default_factory=list)
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    """The log-likelihoods of ``running``, best first."""
    ended: list[tuple[float, list[int], Ended]] = field(default_factory=list)
    """Score, tokens and reason of the texts that ended, best first; at most ``beams``."""

    def __post_init__(self) -> None:
        count = self.settings.beams
        self.running = [[] for _ in range(count)]
        self.scores = np.full(count, NEVER)
        self.scores[0] = 0  # all beams begin alike, so that only the first may be continued

    def grow(self, logits: np.ndarray) -> list[int]:
        """Continue each beam by a token, [beams, V]: which beam each of the new ones comes from."""
        found = self._candidates(logits)
        count = self.settings.beams
        self._keep([candidate for candidate in found[:count] if candidate.ended is not None])
        going = sorted(found, key=lambda each: each.ended is not None)[:count]  # stable: best first
        self.running = [candidate.tokens for candidate in going]
        self.scores = np.array(
            [each.score + (NEVER if each.ended else 0) for each in going], np.float32
        )
        return [candidate.parent for candidate in going]

    def done(self) -> bool:
        """Whether no running text may become better than those that ended."""
        if self.scores[0] <= NEVER / 2:  # each candidate has ended
            return True
        if len(self.ended) < self.settings.beams:
            return False
        return self._scored(float(self.scores[0]), len(self.running[0])) <= self.ended[-1][0]

    def close(self) -> None:
        """Hand the best text to the line; none of one that nobody waits for may have ended."""
        if self.ended:
            self.line.score, self.line.tokens, self.line.ended = self.ended[0]

    def _candidates(self, logits: np.ndarray) -> list[Candidate]:
        """The best continuations of all beams, best first; enough of them that ``beams`` have not
        ended."""
        totals = self._likely(logits)
        totals += self.scores[:, None]
        totals = totals.ravel()
        count = min(max(2, 1 + len(self.stops.tokens)) * self.settings.beams, totals.size)
        best = best_of(totals, count)
        found = []
        for place in best.tolist():
            parent, token = divmod(place, logits.shape[1])
            tokens = [*self.running[parent], token]
            found.append(
                Candidate(totals[place], parent, tokens, self.stops.ended(tokens, self.line.limit))
            )
        return found

    def _likely(self, logits: np.ndarray) -> np.ndarray:
        """The log-probability of each next token, an array of its own; -inf of what must not
        follow."""
        likely, settings = log_softmax(logits), self.settings
        if settings.repetition_penalty != 1:
            seen = [self.line.seen(tokens) for tokens in self.running]
            likely = penalise(likely, seen, settings.repetition_penalty)
        first = () if self.running[0] else self.suppress_first
        likely[:, [*self.suppress, *first]] = -np.inf
        if size := settings.no_repeat_ngram:
            likely = without_repeats(likely, [self.line.whole(t) for t in self.running], size)
        return likely

    def _keep(self, candidates: Sequence[Candidate]) -> None:
        for each in candidates:
            assert each.ended is not None
            self.ended.append(
                (self._scored(float(each.score), len(each.tokens)), each.tokens, each.ended)
            )
        self.ended = sorted(self.ended, key=lambda each: -each[0])[: self.settings.beams]

    def _scored(self, likelihood: float, length: int) -> float:
        return float(likelihood / length**self.settings.length_penalty)


def best_of(scores: np.ndarray, count: int) -> np.ndarray:
    """The places of the highest scores, the highest first, of equal ones the first.

    >>> best_of(np.array([1.0, 3.0, 2.0, 3.0]), 3).tolist()
    [1, 3, 2]
    """
    groups = len(scores) // GROUP
    whole = groups * GROUP
    # a group's members lie apart, so that numpy compares many groups at once
    highest = np.append(scores[:whole].reshape(GROUP, groups).max(axis=0), scores[whole:])
    # so many groups have a score of at least this: to sort those is quicker than to part all
    least = np.partition(highest, -count)[-count] if count <= len(highest) else -np.inf
    places = np.flatnonzero(scores >= least)
    return places[np.lexsort((places, -scores[places]))][:count]


def search(decoding: Decoding, lines: Sequence[Line], settings: Settings, stops: Stops) -> None:
    """Write each line's best text; a prompt whose search is done leaves the batch."""
    count = settings.beams
    ports = decoding.ports
    searches = [
        Search(line, settings, stops, ports.suppress, ports.suppress_first) for line in lines
    ]
    logits = decoding.advance(*left_padded([line.prompt for line in lines], decoding.ports.pad))
    # the prompt itself is read once
    decoding.choose(np.repeat(np.arange(len(lines)), count).tolist())
    logits = np.repeat(logits, count, axis=0)
    while searches:
        rows: list[int] = []
        going: list[Search] = []
        for index, each in enumerate(searches):
            parents = each.grow(logits[index * count : (index + 1) * count])
            if each.done() or each.line.gone():
                each.close()
            else:
                going.append(each)
                rows += [index * count + parent for parent in parents]
        searches = going
        if searches:
            decoding.choose(rows)
            logits = decoding.advance(
                np.array([[each[-1]] for one in searches for each in one.running])
            )
