"""Gopher's quality rules (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from multigraft import Dropped
from multigraft.contracts.options import check_limits
from multigraft.errors import DataError
from multigraft_text.filters.texts import lines_of, on_texts

Judge = Callable[[Any], Any]
BULLETS = ("•", "‣", "●", "▪", "◦", "- ", "* ", "– ")
ELLIPSES = ("...", "…")
STOP_WORDS = frozenset(("the", "be", "to", "of", "and", "that", "have", "with"))
AROUND = ".,;:!?\"'()[]“”‘’"


def words(options: Mapping[str, Any]) -> Judge:
    """The number of words."""
    low, high = options["low"], options["high"]
    check_limits("gopher-words", low, high)

    def judged(text: str) -> str | Dropped:
        count = len(text.split())
        if count < low:
            return Dropped(f"fewer than {low:,} words")
        return text if count <= high else Dropped(f"more than {high:,} words")

    return on_texts(judged)


def word_length(options: Mapping[str, Any]) -> Judge:
    """The mean length of words."""
    low, high = options["low"], options["high"]
    check_limits("gopher-word-length", low, high)

    def judged(text: str) -> str | Dropped:
        each = text.split()
        mean = sum(map(len, each)) / max(1, len(each))
        if mean < low:
            return Dropped(f"words of fewer than {low:g} letters in the mean")
        return text if mean <= high else Dropped(f"words of more than {high:g} letters in the mean")

    return on_texts(judged)


def symbols(options: Mapping[str, Any]) -> Judge:
    """Hash signs and ellipses by words."""
    most = options["most"]

    def judged(text: str) -> str | Dropped:
        count = len(text.split())
        if text.count("#") > most * count:
            return Dropped(f"more than {most:g} hash signs a word")
        if sum(map(text.count, ELLIPSES)) > most * count:
            return Dropped(f"more than {most:g} ellipses a word")
        return text

    return on_texts(judged)


def bullets(options: Mapping[str, Any]) -> Judge:
    """The share of lines that begin with a bullet."""
    most = options["most"]

    def judged(text: str) -> str | Dropped:
        lines = lines_of(text)
        found = sum(line.lstrip().startswith(BULLETS) for line in lines)
        return text if found <= most * len(lines) else Dropped(f"more than {most:.0%} bullet lines")

    return on_texts(judged)


def ellipsis_lines(options: Mapping[str, Any]) -> Judge:
    """The share of lines that end with an ellipsis."""
    most = options["most"]

    def judged(text: str) -> str | Dropped:
        lines = lines_of(text)
        found = sum(line.rstrip().endswith(ELLIPSES) for line in lines)
        told = f"more than {most:.0%} of lines end in an ellipsis"
        return text if found <= most * len(lines) else Dropped(told)

    return on_texts(judged)


def alphabetic(options: Mapping[str, Any]) -> Judge:
    """The share of words with a letter in them."""
    least = options["least"]

    def judged(text: str) -> str | Dropped:
        each = text.split()
        found = sum(any(map(str.isalpha, word)) for word in each)
        enough = found >= least * len(each)
        return text if enough else Dropped(f"fewer than {least:.0%} of words have a letter")

    return on_texts(judged)


def stop_words(options: Mapping[str, Any]) -> Judge:
    """How many of a few frequent words there are, each counted once."""
    least = options["least"]
    known = frozenset(map(str, options["words"] or STOP_WORDS))
    if len(known) < least:
        raise DataError(
            f"gopher-stop-words: at least {least} of {len(known)} words are asked for; name more, "
            "or lower least"
        )

    def judged(text: str) -> str | Dropped:
        found = len(known & {word.strip(AROUND) for word in text.lower().split()})
        return text if found >= least else Dropped(f"fewer than {least} stop words")

    return on_texts(judged)
