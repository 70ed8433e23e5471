"""MinHash of texts' shingles: which texts are nearly the same, by the share they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multigraft import RowError
from multigraft_text.cleaning import REPLACEMENT, clean, parts_of

SHINGLE = 5
"""Characters in a row that are looked at together."""
VALUES = 96
LONGEST = 20_000
"""Characters of a text, from its beginning, that are looked at."""
BETWEEN = "\x1f"
"""Stands between the texts of a pair."""


def sketch(raws: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """MinHash (Broder 1997) of each text's shingles, whatever its case and spaces: uint16 [rows,
    96].

    The share of equal values estimates the Jaccard index J of two texts' sets of shingles, with the
    standard error sqrt(J (1 - J) / 96). What the reader refuses gives zeros. The flaw 1 is that a
    text holds U+FFFD.
    """
    texts = [_plain(raw) for raw in raws]
    found = np.zeros((len(texts), VALUES), np.uint16)
    real = np.flatnonzero([bool(text) for text in texts])
    if len(real):
        hashes, starts = _shingles([texts[row] for row in real.tolist()])
        factors, terms = _functions()
        for value, (factor, term) in enumerate(zip(factors, terms, strict=True)):
            least = np.minimum.reduceat((hashes * factor + term) >> np.uint64(32), starts)
            # the low bits; the high ones are those of any minimum
            found[real, value] = least.astype(np.uint16)
    return found, np.array([REPLACEMENT in text for text in texts], np.uint8)


def _plain(raw: Any) -> str:
    """A text, or a pair, without what does not count; empty where the reader refuses it."""
    try:
        texts = [clean(text)[:LONGEST] for text in parts_of(raw)]
    except RowError:
        return ""
    return BETWEEN.join(" ".join(text.casefold().split()) for text in texts)


def _shingles(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The hashes of all shingles, text after text, uint64, and where each text's begin."""
    padded = [text.ljust(SHINGLE) for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le"), np.uint32).astype(np.uint64)
    counts = np.array([len(text) - SHINGLE + 1 for text in padded])
    hashes = np.zeros(len(codes) - SHINGLE + 1, np.uint64)
    for place in range(SHINGLE):
        hashes = hashes * np.uint64(0x100000001B3) + codes[place : len(hashes) + place]
    inside = np.ones(len(codes), bool)
    ends = np.cumsum(counts + SHINGLE - 1)
    for back in range(1, SHINGLE):
        inside[ends - back] = False  # a shingle that begins here would reach into the next text
    return _mixed(hashes[inside[: len(hashes)]]), np.cumsum(counts) - counts


def _mixed(values: np.ndarray) -> np.ndarray:
    """Every bit of the result hangs on every bit of the value (the finaliser of splitmix64)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _functions() -> tuple[np.ndarray, np.ndarray]:
    """Odd factors and terms of the multiply-shift hash functions; always the same."""
    rng = np.random.default_rng(1997)
    factors, terms = rng.integers(0, 2**64, (2, VALUES), np.uint64, endpoint=False)
    return factors | np.uint64(1), terms
