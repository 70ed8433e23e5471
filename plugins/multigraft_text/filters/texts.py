"""What filters of texts share: judges of strings, words, lines and paragraphs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from multigraft import Dropped

PARAGRAPHS = re.compile(r"\n\s*\n")
NO_TEXT = Dropped("the value is no text")
NOTHING_LEFT = Dropped("nothing is left")


def on_texts(judge: Callable[[str], str | Dropped]) -> Callable[[Any], Any]:
    """A judge of any value: what is no text is dropped, and so is a text of which nothing is left.

    >>> on_texts(str.strip)(" a "), on_texts(str.strip)("  "), on_texts(str.strip)(3)
    ('a', Dropped(why='nothing is left'), Dropped(why='the value is no text'))
    """

    def judged(value: Any) -> Any:
        if not isinstance(value, str):
            return NO_TEXT
        found = judge(value)
        return found if isinstance(found, Dropped) or found.strip() else NOTHING_LEFT

    return judged


def literal(word: str) -> Callable[[re.Match[str]], str]:
    """What a pattern's matches are replaced with, sign by sign: backslashes mean themselves.

    >>> re.sub("b", literal(r"\\1"), "abc")
    'a\\\\1c'
    """
    return lambda found: word


def lines_of(text: str) -> list[str]:
    """The lines that hold something."""
    return [line for line in text.split("\n") if line.strip()]


def paragraphs_of(text: str) -> list[str]:
    """What blank lines part."""
    return [part for part in PARAGRAPHS.split(text) if part.strip()]
