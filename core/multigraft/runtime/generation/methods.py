"""Writing a token a step: the most likely one, or one that is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

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


@dataclass
class Line:
    """One text that is being written."""

    place: int
    """Of its prompt among those of the call."""
    prompt: np.ndarray
    limit: int
    """How many tokens it may get."""
    rng: np.random.Generator
    """All chance comes from it, so that no other text changes this one."""
    tokens: list[int] = field(default_factory=list)
    ended: Ended | None = None
    score: float | None = None
    """What beam search compares by; None in other methods."""

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
        tokens = _next(without(logits, decoding.ports.suppress), going, settings)
        for line, token in zip(going, tokens, strict=True):
            line.tokens.append(token)
            line.ended = stops.ended(line.tokens, line.limit)
            yield line, token
        rows = [row for row, line in enumerate(going) if line.ended is None]
        if not rows:
            return
        decoding.choose(rows)
        going = [going[row] for row in rows]
        logits = decoding.advance(np.array([[tokens[row]] for row in rows]))


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
