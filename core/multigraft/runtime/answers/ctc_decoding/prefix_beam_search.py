"""Prefix beam search: the most probable token sequences, over all alignments of each."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

Tokens = tuple[int, ...]
NEVER = -math.inf
Ends = tuple[float, float]
"""Log-probabilities of the alignments of a prefix that end in a blank, and that do not."""


def prefix_beam_search(
    chances: np.ndarray, blank: int, *, beams: int, unlikely: float = NEVER
) -> list[tuple[Tokens, float]]:
    """The best sequences with their log-probabilities, at most ``beams``, the best first.

    Graves (2012) and Hannun et al. (2014), without a language model. Tokens less probable than
    ``unlikely`` (a log-probability) begin nothing at a frame. With beams for all prefixes the
    probabilities are exact.
    """
    kept: dict[Tokens, Ends] = {(): (0.0, NEVER)}
    for frame in chances.astype(np.float64):
        likely = np.flatnonzero(frame > unlikely)
        begun = [(token, float(frame[token])) for token in likely.tolist() if token != blank]
        kept = _best(_followed(kept, frame, float(frame[blank]), begun), beams)
    ranked = [(tokens, _plus(*ends)) for tokens, ends in kept.items()]
    return sorted(ranked, key=lambda each: -each[1])


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


def _best(found: dict[Tokens, Ends], beams: int) -> dict[Tokens, Ends]:
    if len(found) <= beams:
        return found
    ranked = sorted(found.items(), key=lambda each: -_plus(*each[1]))
    return dict(ranked[:beams])


def _plus(one: float, other: float) -> float:
    """The logarithm of the sum of two numbers that are given by theirs."""
    if one < other:
        one, other = other, one
    return one if other == NEVER else one + math.log1p(math.exp(other - one))
