"""Generated texts among which near copies are planted."""

from __future__ import annotations

import numpy as np

SYLLABLES = (
    "ba be bi bo bu da de di do du fa fe ga ge ka ke la le li lo ma me mi na ne no pa".split()
)
WORDS, SHORTEST, LONGEST = 5000, 40, 200
COPIES, EXCHANGED = 0.1, 0.03


def planted_copies(rows: int, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of made-up words, frequent ones more often, and [rows] which of them are copies of an
    earlier one with few words exchanged."""
    rng = np.random.default_rng(seed)
    words = np.array(["".join(rng.choice(SYLLABLES, n)) for n in rng.integers(2, 5, WORDS)])
    drawn: list[np.ndarray] = []
    copies = np.zeros(rows, bool)
    for row in range(rows):
        first = int(rng.integers(row)) if row else 0
        if row and not copies[first] and rng.random() < COPIES:
            text = drawn[first].copy()
            count = max(1, int(EXCHANGED * len(text)))
            text[rng.choice(len(text), count, replace=False)] = rng.integers(0, WORDS, count)
            copies[row] = True
        else:
            text = (WORDS * rng.power(0.6, int(rng.integers(SHORTEST, LONGEST)))).astype(np.int64)
        drawn.append(text)
    return [" ".join(words[text]) for text in drawn], copies
