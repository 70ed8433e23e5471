"""Gopher's repetition rules (Rae et al. 2021, arXiv 2112.11446, table A1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from multigraft import Dropped
from multigraft_text.filters.texts import lines_of, on_texts, paragraphs_of

Judge = Callable[[Any], Any]
TOP = {2: 0.20, 3: 0.18, 4: 0.16}
"""n -> the share of characters that the most frequent n-gram may make up."""
DUPLICATED = {5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
"""n -> the share of characters that may lie in n-grams that stood before."""
LEAST = min(DUPLICATED.values())


def repeated_lines(options: Mapping[str, Any]) -> Judge:
    """The share of lines, and of their characters, that stood before."""
    return _repeated(lines_of, "lines", options)


def repeated_paragraphs(options: Mapping[str, Any]) -> Judge:
    """The share of paragraphs, and of their characters, that stood before."""
    return _repeated(paragraphs_of, "paragraphs", options)


def _repeated(cut: Callable[[str], Sequence[str]], what: str, options: Mapping[str, Any]) -> Judge:
    most, most_characters = options["most"], options["most_characters"]

    def judged(text: str) -> str | Dropped:
        parts = [part.strip() for part in cut(text)]
        known: set[str] = set()
        again = [part for part in parts if part in known or known.add(part)]  # type: ignore[func-returns-value]
        if len(again) > most * len(parts):
            return Dropped(f"more than {most:.0%} of {what} are repeated")
        if sum(map(len, again)) > most_characters * len(text):
            return Dropped(f"more than {most_characters:.0%} of characters in repeated {what}")
        return text

    return on_texts(judged)


def top_ngrams(options: Mapping[str, Any]) -> Judge:
    """The share of characters in the most frequent 2-, 3- and 4-gram that stands more than once."""
    scale = options["scale"]

    def judged(text: str) -> str | Dropped:
        words = text.split()
        for count, most in TOP.items():
            grams = Counter(zip(*(words[place:] for place in range(count)), strict=False))
            (gram, times), *_ = grams.most_common(1) or [((), 0)]
            if times < 2:
                break  # longer ones stand no more often
            if times * sum(map(len, gram)) > scale * most * sum(map(len, words)):
                return Dropped(f"one {count}-gram makes up more than {scale * most:.0%}")
        return text

    return on_texts(judged)


def repeated_ngrams(options: Mapping[str, Any]) -> Judge:
    """The share of characters in 5- to 10-grams that stood before, each character counted once."""
    scale = options["scale"]

    def judged(text: str) -> str | Dropped:
        words = text.split()
        total = sum(map(len, words))
        for count, most in DUPLICATED.items():
            found = _repeated_characters(words, count)
            if found > scale * most * total:
                return Dropped(f"more than {scale * most:.0%} in repeated {count}-grams")
            if found <= scale * LEAST * total:
                break  # longer ones lie within these, and may be more than this
        return text

    return on_texts(judged)


def _repeated_characters(words: Sequence[str], count: int) -> int:
    """Characters of the words in n-grams that stood before."""
    grams = list(zip(*(words[at:] for at in range(count)), strict=False))
    if len(set(grams)) == len(grams):
        return 0
    known: set[tuple[str, ...]] = set()
    done = found = 0
    for place, gram in enumerate(grams):
        if gram not in known:
            known.add(gram)
            continue
        start = max(place, done)
        done = place + count
        found += sum(map(len, words[start:done]))
    return found
