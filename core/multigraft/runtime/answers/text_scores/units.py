"""N-grams of units and the places of units: what the scores of texts count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def ngrams(units: Sequence[Hashable], order: int) -> Counter[Hashable]:
    """How often each run of so many units occurs, of a tuple of words or a string of characters.

    >>> ngrams("abab", 2)
    Counter({'ab': 2, 'ba': 1})
    """
    return Counter(units[at : at + order] for at in range(len(units) - order + 1))


def shared(one: Counter[Hashable], other: Counter[Hashable]) -> int:
    """How many n-grams both have, each as often as it is in both (clipped, Papineni 2002).

    >>> shared(ngrams("aaab", 1), ngrams("aab", 1))
    3
    """
    few, many = sorted((one, other), key=len)
    return sum(min(count, many[unit]) for unit, count in few.items() if unit in many)


def place_bits(units: Sequence[Hashable]) -> dict[Hashable, int]:
    """Of each unit, a number whose bits are set where it stands; for algorithms that work on all
    places at once.

    >>> place_bits("aba")
    {'a': 5, 'b': 2}
    """
    bits: dict[Hashable, int] = {}
    for place, unit in enumerate(units):
        bits[unit] = bits.get(unit, 0) | 1 << place
    return bits
