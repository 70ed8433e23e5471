"""Exact match and F1 of an answer in a passage (SQuAD: Rajpurkar et al. 2016 and 2018)."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Hashable

from multigraft.runtime.answers.text_scores.units import shared

_PUNCTUATION = str.maketrans("", "", string.punctuation)


def squad_words(text: str) -> tuple[str, ...]:
    """What counts of an answer: its words in small letters, without punctuation and articles.

    >>> squad_words("The  U.S. Army, an ally")
    ('us', 'army', 'ally')
    """
    bare = text.lower().translate(_PUNCTUATION)
    return tuple(re.sub(r"\b(a|an|the)\b", " ", bare).split())


def squad_scores(answer: str, *references: str) -> tuple[float, float]:
    """Exact match and F1 of words, 0 to 1, each the best that a reference gives.

    A reference without words counts only where none has any; without a reference the right answer
    is the empty one, as in the evaluation of SQuAD 2.0.

    >>> squad_scores("in the Black Forest", "Black Forest")
    (0.0, 0.8)
    """
    said = squad_words(answer)
    expected = [words for words in map(squad_words, references) if words] or [()]
    return float(said in expected), max(_f1(said, words) for words in expected)


def _f1(said: tuple[str, ...], expected: tuple[str, ...]) -> float:
    if not said or not expected:
        return float(said == expected)
    ours: Counter[Hashable] = Counter(said)
    return 2 * shared(ours, Counter(expected)) / (len(said) + len(expected))
