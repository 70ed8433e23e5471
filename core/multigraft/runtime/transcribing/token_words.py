"""Words of a text that was written in tokens: which tokens each is made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

SPACELESS = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
"""Languages written without spaces: a character is a word there, as in openai's whisper."""
LETTER = re.compile(r"\w")


@dataclass(frozen=True)
class TokenWord:
    """A word, and the tokens that hold its letters: punctuation around it is not said."""

    text: str
    first: int
    last: int


def token_words(
    tokens: Sequence[int], text: Callable[[Sequence[int]], str], *, spaced: bool = True
) -> list[TokenWord]:
    """The words of a text, what stands between spaces, or each character where none are written.

    >>> letters = lambda tokens: "".join("ab, "[token] for token in tokens)
    >>> [(word.text, word.first, word.last) for word in token_words([0, 1, 2, 3, 1], letters)]
    [('ab,', 0, 1), ('b', 4, 4)]
    """
    whole = text(tokens)
    ends = [_shared(text(tokens[: n + 1]), whole) for n in range(len(tokens))]
    found = re.finditer(r"\S+" if spaced else r"\S", whole)
    return [TokenWord(each.group(), *_tokens(*_said(each), ends)) for each in found]


def _shared(one: str, other: str) -> int:
    """With how many characters both begin: a character half written is none yet."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _said(word: re.Match[str]) -> tuple[int, int]:
    """From which to behind which character of the text a word has letters."""
    letters = [word.start() + each.start() for each in LETTER.finditer(word.group())]
    return (letters[0], letters[-1] + 1) if letters else word.span()


def _tokens(start: int, end: int, ends: Sequence[int]) -> tuple[int, int]:
    """The first and the last token that write some of the characters; ``ends`` is where each
    token's end."""
    first = next(number for number, behind in enumerate(ends) if behind > start)
    last = next(number for number, behind in enumerate(ends) if behind >= end)
    return first, last
