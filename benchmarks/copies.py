"""Texts, generated or given, among which near copies are planted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SYLLABLES = (
    "ba be bi bo bu da de di do du fa fe ga ge ka ke la le li lo ma me mi na ne no pa".split()
)
WORDS, SHORTEST, LONGEST = 5000, 40, 200
COPIES, EXCHANGED = 0.1, 0.03


def copies_among(texts: Sequence[str], seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Given texts, a tenth of which give way to copies of an earlier one, with few words exchanged
    for words of all the texts; and [rows] the row that each is a copy of, or its own."""
    rng = np.random.default_rng(seed)
    cut = [text.split() for text in texts]
    words = [word for each in cut for word in each]
    firsts = np.arange(len(cut))
    for row in range(1, len(cut)):
        first = int(rng.integers(row))
        if firsts[first] == first and rng.random() < COPIES:
            cut[row] = list(cut[first])
            count = max(1, int(EXCHANGED * len(cut[row])))
            for place in rng.choice(len(cut[row]), count, replace=False).tolist():
                cut[row][place] = words[int(rng.integers(len(words)))]
            firsts[row] = first
    return [" ".join(each) for each in cut], firsts


def planted_copies(rows: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of made-up words, frequent ones more often, some of them copies of an earlier one with
    few words exchanged; and [rows] the row that each is a copy of, or its own."""
    rng = np.random.default_rng(seed)
    words = np.array(["".join(rng.choice(SYLLABLES, n)) for n in rng.integers(2, 5, WORDS)])
    drawn: list[np.ndarray] = []
    firsts = np.arange(rows)
    for row in range(rows):
        first = int(rng.integers(row)) if row else 0
        if row and firsts[first] == first and rng.random() < COPIES:
            text = drawn[first].copy()
            count = max(1, int(EXCHANGED * len(text)))
            text[rng.choice(len(text), count, replace=False)] = rng.integers(0, WORDS, count)
            firsts[row] = first
        else:
            text = (WORDS * rng.power(0.6, int(rng.integers(SHORTEST, LONGEST)))).astype(np.int64)
        drawn.append(text)
    return [" ".join(words[text]) for text in drawn], firsts
