"""Where a text ends, and how it is told piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Ended = Literal["stop", "length"]
UNFINISHED = "\ufffd"
"""What stands for bytes that are no whole character yet."""


@dataclass(frozen=True)
class Stops:
    """What ends a text."""

    tokens: frozenset[int]
    texts: tuple[str, ...]
    text: Callable[[Sequence[int]], str]
    """Tokens -> text."""

    def ended(self, tokens: Sequence[int], limit: int) -> Ended | None:
        """Why a text ends with its last token, or None."""
        if tokens[-1] in self.tokens or self._said(tokens):
            return "stop"
        return "length" if len(tokens) >= limit else None

    def cut(self, text: str) -> str:
        """The text before the first of the texts that end it."""
        return text[
            : min((place for stop in self.texts if (place := text.find(stop)) >= 0), default=None)
        ]

    def _said(self, tokens: Sequence[int]) -> bool:
        """Whether one of the texts was completed; looked for in as many tokens as can hold it."""
        if not self.texts:
            return False
        longest = max(len(stop.encode()) for stop in self.texts)
        tail = self.text(tokens[-longest - 1 :])
        return any(stop in tail for stop in self.texts)


@dataclass
class Pieces:
    """Tells one text as its tokens come, in pieces that together are the text that `Stops.cut`
    leaves.

    Held back are the bytes of a character that is not whole yet, and what may become a text that
    ends it.
    """

    stops: Stops
    tokens: list[int] = field(default_factory=list)
    told: int = 0
    """How many characters were told."""

    def add(self, token: int) -> str:
        """What can be told after one more token; often nothing."""
        self.tokens.append(token)
        text = self.stops.text(self.tokens)
        safe = self.stops.cut(text.removesuffix(UNFINISHED))
        return self._tell(safe[: len(safe) - _held(safe, self.stops.texts)])

    def close(self) -> str:
        """The rest, once no token follows."""
        return self._tell(self.stops.cut(self.stops.text(self.tokens)))

    def _tell(self, text: str) -> str:
        piece = text[self.told :]
        self.told += len(piece)
        return piece


def _held(text: str, stops: Iterable[str]) -> int:
    """The length of the longest end of ``text`` that begins one of the ``stops``.

    >>> _held("one E", ("END",)), _held("one", ("END",))
    (1, 0)
    """
    lengths = (size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size]))
    return max(lengths, default=0)
