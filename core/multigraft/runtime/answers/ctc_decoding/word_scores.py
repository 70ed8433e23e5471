"""Scores of words beside what is heard: how a beam search prefers some texts to others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

Tokens = tuple[int, ...]


class WordScores(Protocol):
    """Gains, in log-probability, of the words of a text from left to right."""

    def start(self) -> Any:
        """The state before the first word."""
        ...

    def word(self, state: Any, word: str) -> tuple[Any, float]:
        """The state behind a word, and what the word gains."""
        ...

    def end(self, state: Any) -> float:
        """What is gained where the text ends."""
        ...


@dataclass(frozen=True)
class Scored:
    """A prefix of tokens, as its words are scored."""

    state: Any
    gain: float
    """Of its whole words."""
    word: str
    """What is written of the last one."""


@dataclass(frozen=True)
class TokenScores:
    """Scores of words, by the tokens that write them."""

    scores: WordScores
    writes: Sequence[str]
    """What each token writes; white space ends a word."""

    def start(self) -> Scored:
        """Of no tokens."""
        return Scored(self.scores.start(), 0.0, "")

    def then(self, scored: Scored, token: int) -> Scored:
        """With one more token."""
        written = self.writes[token]
        return (
            self._ended(scored)
            if written.isspace()
            else replace(scored, word=scored.word + written)
        )

    def gain(self, scored: Scored, token: int) -> float:
        """Of its whole words, with one more token."""
        return self.then(scored, token).gain if self.writes[token].isspace() else scored.gain

    def total(self, scored: Scored) -> float:
        """The gain of a text that ends there."""
        ended = self._ended(scored)
        return ended.gain + self.scores.end(ended.state)

    def _ended(self, scored: Scored) -> Scored:
        if not scored.word:
            return scored
        state, gain = self.scores.word(scored.state, scored.word)
        return Scored(state, scored.gain + gain, "")


@dataclass(frozen=True)
class SummedScores:
    """Several scores of words, whose gains are added."""

    parts: tuple[WordScores, ...]

    def start(self) -> Any:
        """The state of each."""
        return tuple(part.start() for part in self.parts)

    def word(self, state: Any, word: str) -> tuple[Any, float]:
        """What the word gains by all of them."""
        found = [part.word(each, word) for part, each in zip(self.parts, state, strict=True)]
        return tuple(each for each, _ in found), sum(gain for _, gain in found)

    def end(self, state: Any) -> float:
        """What the end gains by all of them."""
        return sum(part.end(each) for part, each in zip(self.parts, state, strict=True))


@dataclass(frozen=True)
class HotWords:
    """Words that are preferred, each by the same gain, in capitals or not."""

    words: frozenset[str]
    """Casefolded."""
    gain: float

    def start(self) -> Any:
        """None: no word depends on another."""
        return None

    def word(self, state: Any, word: str) -> tuple[Any, float]:
        """The gain of a word that is preferred."""
        return state, self.gain if word.casefold() in self.words else 0.0

    def end(self, state: Any) -> float:
        """Nothing."""
        return 0.0
