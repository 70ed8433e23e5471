"""Words of raw text: what spans begin and end with, and tokens are parts of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

import numpy as np

Words = Literal["spaced", "letters"]
"""What a word is. ``spaced``: what stands between spaces, without the signs at its ends, as
``U.S`` or ``it's``. ``letters``: letters, digits and their marks alone."""
WORDS: tuple[Words, ...] = ("spaced", "letters")
"""From the longest to the shortest."""
SHORTEST = WORDS[-1]
_SPACED = re.compile(r"[^\W_](?:\S*[^\W_])?")
_LETTERS = re.compile(r"\w+")


def inner_places(text: str, words: Words) -> np.ndarray:
    """Whether a word goes on across each place, bool [characters + 1].

    >>> [np.flatnonzero(inner_places("(U.S.) it", words)).tolist() for words in WORDS]
    [[2, 3, 8], [8]]
    """
    inner = np.zeros(len(text) + 1, dtype=bool)
    for first, after in _runs(text, _SPACED if words == "spaced" else _LETTERS):
        inner[first + 1 : after] = True
    return inner


def _runs(text: str, word: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """First character and the one after the last of each word, with the marks that follow it;
    those are no letters, so that a word may go on behind them."""
    begun: tuple[int, int] | None = None
    for found in word.finditer(text):
        first, after = found.span()
        while after < len(text) and unicodedata.category(text[after])[0] == "M":
            after += 1
        if begun and begun[1] == first:
            begun = begun[0], after
            continue
        if begun:
            yield begun
        begun = first, after
    if begun:
        yield begun


def word_starts(text: str, places: np.ndarray, words: Words | None) -> np.ndarray:
    """The tokens at which a word begins: their numbers, of tokens at ``places`` [T, 3].

    Without ``words`` each token is a word.
    """
    if words is None or not len(places):
        return np.arange(len(places))
    inner = inner_places(text, words)
    first, before = places[1:, 0], places[:-1, 1]
    # pieces of one character share their places
    goes_on = (first < before) | ((first == before) & inner[first])
    return np.flatnonzero(np.concatenate([[True], ~goes_on]))
