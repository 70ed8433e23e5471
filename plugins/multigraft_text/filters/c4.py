"""C4's rules (Raffel et al. 2020, JMLR 21(140), section 2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from multigraft import Dropped
from multigraft_text.filters.texts import on_texts

Judge = Callable[[Any], Any]
ENDS = (".", "!", "?", '"', "”")
ELLIPSES = ("...", "…")
POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
SENTENCE = re.compile(r"[^.!?]*[^\W_][^.!?]*[.!?]+[\"'”’)]*(?=\s|$)|[^.!?]*[^\W_][^.!?]*$", re.M)
"""What ends with a mark before a blank, or with its line, and holds a letter or digit."""
CITATION = re.compile(r"\[(?:\d{1,4}|edit|citation needed)\](?!\w)")


def terminal_punctuation(options: Mapping[str, Any]) -> Judge:
    """Lines without a terminal punctuation mark are taken out."""
    del options
    return _of_lines(lambda line: line.endswith(ENDS) and not line.endswith(ELLIPSES))


def line_words(options: Mapping[str, Any]) -> Judge:
    """Lines of few words, or with an endless one, are taken out."""
    least, longest = options["least"], options["longest_word"]

    def kept(line: str) -> bool:
        words = line.split()
        return len(words) >= least and max(map(len, words)) <= longest

    return _of_lines(kept)


def javascript(options: Mapping[str, Any]) -> Judge:
    """Lines that name Javascript are taken out."""
    del options
    return _of_lines(lambda line: "javascript" not in line.lower())


def policy(options: Mapping[str, Any]) -> Judge:
    """Lines on cookies and terms of use are taken out."""
    del options
    return _of_lines(lambda line: not any(phrase in line.lower() for phrase in POLICY))


def citations(options: Mapping[str, Any]) -> Judge:
    """Marks of citations, as Wikipedia has them, are taken out."""
    del options
    return on_texts(lambda text: CITATION.sub("", text) if "[" in text else text)


def lorem_ipsum(options: Mapping[str, Any]) -> Judge:
    """Texts with the phrase "lorem ipsum" are dropped."""
    del options
    found = Dropped("it holds lorem ipsum")
    return on_texts(lambda text: found if "lorem ipsum" in text.lower() else text)


def curly_brackets(options: Mapping[str, Any]) -> Judge:
    """Texts with a curly bracket are dropped, as program code has them."""
    del options
    found = Dropped("it holds a curly bracket")
    return on_texts(lambda text: found if "{" in text or "}" in text else text)


def sentences(options: Mapping[str, Any]) -> Judge:
    """Texts of few sentences are dropped."""
    least = options["least"]

    def judged(text: str) -> str | Dropped:
        count = sum(1 for _ in SENTENCE.finditer(text))
        return text if count >= least else Dropped(f"fewer than {least} sentences")

    return on_texts(judged)


def _of_lines(kept: Callable[[str], bool]) -> Judge:
    """Lines that are not blank are kept or taken out; the others stay between those that are."""

    def judged(text: str) -> str:
        lines = [line for line in text.split("\n") if not line.strip() or kept(line.strip())]
        return "\n".join(lines).strip("\n")

    return on_texts(judged)
