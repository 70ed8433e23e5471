"""Prefix beam search: the most probable token sequences, over all alignments of each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from heapq import nlargest

import numpy as np

from multigraft.runtime.answers.ctc_decoding.word_scores import Scored, Tokens, TokenScores

NEVER = -math.inf
Ends = tuple[float, float]
"""Log-probabilities of the alignments of a prefix that end in a blank, and that do not."""


def prefix_beam_search(
    chances: np.ndarray,
    blank: int,
    *,
    beams: int,
    unlikely: float = NEVER,
    scores: TokenScores | None = None,
) -> list[tuple[Tokens, float]]:
    """The best sequences with their log-probabilities, at most ``beams``, the best first.

    Graves (2012) and Hannun et al. (2014). Tokens less probable than ``unlikely`` (a
    log-probability) begin nothing at a frame. With ``scores``, what the words of a sequence gain is
    added to its log-probability. With beams for all prefixes the sums are exact.
    """
    kept: dict[Tokens, Ends] = {(): (0.0, NEVER)}
    gains = Gains(scores)
    for frame in chances.astype(np.float64):
        likely = np.flatnonzero(frame > unlikely)
        begun = [(token, float(frame[token])) for token in likely.tolist() if token != blank]
        kept = gains.best(_followed(kept, frame, float(frame[blank]), begun), beams)
    ranked = [(tokens, _plus(*ends) + gains.total(tokens)) for tokens, ends in kept.items()]
    return sorted(ranked, key=lambda each: -each[1])


class Gains:
    """What the words of each prefix that is kept gain; nothing where no words are scored."""

    def __init__(self, scores: TokenScores | None) -> None:
        self._scores = scores
        self._known: dict[Tokens, Scored] = {} if scores is None else {(): scores.start()}

    def best(self, found: dict[Tokens, Ends], beams: int) -> dict[Tokens, Ends]:
        """The most probable of the prefixes that one more frame gave, with what they gain."""
        scores = self._scores
        if scores is None:
            return _most(found, beams, _sum)
        kept = _most(found, beams, lambda each: _sum(each) + self._gain(each[0], scores))
        self._known = {tokens: self._reached(tokens, scores) for tokens in kept}
        return kept

    def total(self, tokens: Tokens) -> float:
        """What a kept prefix gains if the text ends there."""
        return 0.0 if self._scores is None else self._scores.total(self._known[tokens])

    def _gain(self, tokens: Tokens, scores: TokenScores) -> float:
        known = self._known.get(tokens)
        if known is None:
            return scores.gain(self._known[tokens[:-1]], tokens[-1])
        return known.gain

    def _reached(self, tokens: Tokens, scores: TokenScores) -> Scored:
        known = self._known.get(tokens)
        return scores.then(self._known[tokens[:-1]], tokens[-1]) if known is None else known


def stretches(chances: np.ndarray, blank: int, *, longest: int) -> Iterator[slice]:
    """Cut frames into pieces to be decoded one by one, each at the frame of its second half at
    which nothing is said most surely."""
    start = 0
    while len(chances) - start > longest:
        half = start + longest // 2
        cut = half + int(chances[half : start + longest, blank].argmax())
        yield slice(start, cut)
        start = cut
    yield slice(start, len(chances))


def _followed(
    kept: dict[Tokens, Ends], frame: np.ndarray, silent: float, begun: list[tuple[int, float]]
) -> dict[Tokens, Ends]:
    """Every prefix after one more frame: as it was, and with each token that may begin there."""
    found: dict[Tokens, Ends] = {}
    for tokens, (rested, spoke) in kept.items():
        total = _plus(rested, spoke)
        again = spoke + float(frame[tokens[-1]]) if tokens else NEVER
        _add(found, tokens, total + silent, again)
        last = tokens[-1] if tokens else None
        for token, chance in begun:
            _add(found, (*tokens, token), NEVER, (rested if token == last else total) + chance)
    return found


def _add(found: dict[Tokens, Ends], tokens: Tokens, rested: float, spoke: float) -> None:
    if rested == spoke == NEVER:  # two of one token without a frame between them
        return
    before = found.get(tokens)
    found[tokens] = (
        (rested, spoke) if before is None else (_plus(before[0], rested), _plus(before[1], spoke))
    )


def _most(
    found: dict[Tokens, Ends], beams: int, value: Callable[[tuple[Tokens, Ends]], float]
) -> dict[Tokens, Ends]:
    if len(found) <= beams:
        return found
    return dict(nlargest(beams, found.items(), key=value))


def _sum(each: tuple[Tokens, Ends]) -> float:
    return _plus(*each[1])


def _plus(one: float, other: float) -> float:
    """The logarithm of the sum of two numbers that are given by theirs."""
    if one < other:
        one, other = other, one
    return one if other == NEVER else one + math.log1p(math.exp(other - one))
