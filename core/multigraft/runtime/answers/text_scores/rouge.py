"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004): F of words, pairs of words, and words in order."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence

import numpy as np

from multigraft.runtime.answers.text_scores.units import ngrams, place_bits, shared

ROUGE = ("rouge1", "rouge2", "rougeL")


def rouge_scores(answer: str, *references: str) -> np.ndarray:
    """F, 0 to 1, of each name in `ROUGE`, float64 [3]; the best that a reference gives.

    A corpus has the mean of its rows. Words are runs of ASCII letters and digits, in small letters
    and not stemmed, as in the rouge-score package: a text in another script has none, and gets 0.
    """
    said = rouge_words(answer)
    return np.array([_scores(said, rouge_words(each)) for each in references]).max(0)


def rouge_words(text: str) -> tuple[str, ...]:
    """The words that ROUGE counts.

    >>> rouge_words("It's Café No. 9")
    ('it', 's', 'caf', 'no', '9')
    """
    return tuple(re.findall(r"[a-z0-9]+", text.lower()))


def common_subsequence(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """The length of the longest common subsequence, for all places of ``one`` at once (Hyyrö 2004).

    >>> common_subsequence("police killed the gunman", "police kill the gunman")
    22
    """
    bits, every = place_bits(one), (1 << len(one)) - 1
    left = every  # a bit is cleared where the subsequence grows
    for unit in other:
        met = left & bits.get(unit, 0)
        left = (left + met | left - met) & every
    return len(one) - left.bit_count()


def _scores(said: tuple[str, ...], expected: tuple[str, ...]) -> list[float]:
    found = [shared(ngrams(said, order), ngrams(expected, order)) for order in (1, 2)]
    return [
        _f(found[0], len(said), len(expected)),
        _f(found[1], len(said) - 1, len(expected) - 1),
        _f(common_subsequence(said, expected), len(said), len(expected)),
    ]


def _f(both: int, said: int, expected: int) -> float:
    return 2 * both / (said + expected) if both else 0.0
