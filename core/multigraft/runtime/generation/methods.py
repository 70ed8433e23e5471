"""Writing a token a step: the most likely one, or one that is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from multigraft.contracts.types import Arrays
from multigraft.runtime.bundle import Generation
from multigraft.runtime.generation.decoder_cache import Decoding, left_padded
from multigraft.runtime.generation.options import Settings
from multigraft.runtime.generation.sampling import (
    draw,
    narrowed,
    penalise,
    without,
    without_repeats,
)
from multigraft.runtime.generation.text import Ended, Stops
from multigraft.runtime.read_value import never


@dataclass(frozen=True)
class Prompt:
    """A value as it was read, of which a text is to be written."""

    row: Arrays
    """What the encoder reads; nothing where there is none."""
    tokens: np.ndarray
    """Those to continue."""
    place: int = 0
    """Among the values that were asked for together: the draws of a text follow from it and the
    seed."""
    gone: Callable[[], bool] = never
    """Whether nobody waits for the text any more; it is then left as it is."""
    cut: tuple[float, float] | None = None
    """How much the value has, and how much of it is in the row; None: all of it."""


@dataclass
class Line:
    """One text that is being written."""

    prompt: np.ndarray
    limit: int
    """How many tokens it may get."""
    rng: np.random.Generator
    """All chance comes from it, so that no other text changes this one."""
    tokens: list[int] = field(default_factory=list)
    ended: Ended | None = None
    score: float | None = None
    """What beam search compares by; None in other methods."""
    gone: Callable[[], bool] = never
    """Whether nobody waits for it any more."""

    def seen(self, tokens: Sequence[int]) -> np.ndarray:
        """The different tokens of the prompt and of ``tokens``."""
        return np.unique(np.concatenate([self.prompt, np.asarray(tokens, dtype=np.int64)]))

    def whole(self, tokens: Sequence[int]) -> list[int]:
        """The prompt, and ``tokens`` behind it."""
        return [*self.prompt.tolist(), *tokens]


def write(
    decoding: Decoding, lines: Sequence[Line], settings: Settings, stops: Stops
) -> Iterator[tuple[Line, int]]:
    """Continue the lines together, giving each token with its line; a line that ended leaves the
    batch."""
    going = list(lines)
    logits = decoding.advance(*left_padded([line.prompt for line in going], decoding.ports.pad))
    while True:
        tokens = _next(_allowed(logits, going, decoding.ports), going, settings)
        for line, token in zip(going, tokens, strict=True):
            line.tokens.append(token)
            line.ended = stops.ended(line.tokens, line.limit)
            yield line, token
        rows = [row for row, line in enumerate(going) if line.ended is None and not line.gone()]
        if not rows:
            return
        decoding.choose(rows)
        going = [going[row] for row in rows]
        logits = decoding.advance(np.array([[tokens[row]] for row in rows]))


def _allowed(logits: np.ndarray, lines: Sequence[Line], ports: Generation) -> np.ndarray:
    """Logits without the tokens that are never written, or not as the first."""
    first = not lines[0].tokens  # all lines begin together
    return without(logits, [*ports.suppress, *(ports.suppress_first if first else ())])


def _next(logits: np.ndarray, lines: Sequence[Line], settings: Settings) -> list[int]:
    """The next token of each line: [B, V] -> B."""
    scores = logits
    if settings.repetition_penalty != 1:
        scores = penalise(
            scores, [line.seen(line.tokens) for line in lines], settings.repetition_penalty
        )
    if settings.no_repeat_ngram:
        texts = [line.whole(line.tokens) for line in lines]
        scores = without_repeats(scores, texts, settings.no_repeat_ngram)
    if settings.method == "greedy":
        chosen: list[int] = scores.argmax(axis=-1).tolist()
        return chosen
    scores = narrowed(scores, settings)
    return [draw(row, line.rng) for row, line in zip(scores, lines, strict=True)]
