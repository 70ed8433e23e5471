"""One window of a long sound: written, and written again where it seems wrong."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from multigraft.runtime.bundle import Generation, Speech
from multigraft.runtime.generation.decoder_cache import Decoding
from multigraft.runtime.generation.sampling import draw, log_softmax, without
from multigraft.runtime.transcribing.asks import Guards
from multigraft.runtime.transcribing.time_rules import TimeRules


@dataclass(frozen=True)
class Written:
    """What was written of a window at a temperature, the end left out, and what speaks for it."""

    tokens: tuple[int, ...]
    temperature: float
    logprob: float
    """The mean of its tokens, the end counted."""
    compression: float
    no_speech: float
    """How likely nothing is said, where the text begins."""

    def wrong(self, guards: Guards) -> bool:
        """Whether it repeats itself, or is too unlikely."""
        return self.compression > guards.compression_ratio or self.logprob < guards.logprob

    def silent(self, guards: Guards) -> bool:
        """Whether it is a text about nothing."""
        return self.logprob < guards.logprob and self.no_speech > guards.no_speech


@dataclass(frozen=True)
class Prompt:
    """What stands in front of a window's text: earlier text, and the start behind it."""

    tokens: tuple[int, ...]
    start: int
    """The place of the start."""


def write_window(
    decoding: Iterable[Decoding], prompt: Prompt, guards: Guards, rng: np.random.Generator
) -> Written:
    """The text of a window: at temperature 0, or the first that does not seem wrong.

    ``decoding`` gives a text about the same window for each temperature.
    """
    for begun, temperature in zip(decoding, guards.temperatures, strict=False):
        written = _write(begun, prompt, temperature, rng)
        if written.silent(guards) or not written.wrong(guards):
            break
    return written


def _write(
    decoding: Decoding, prompt: Prompt, temperature: float, rng: np.random.Generator
) -> Written:
    ports, speech = decoding.ports, speech_of(decoding.ports)
    rules, tokens, total = TimeRules(speech, min(ports.stop)), list[int](), 0.0
    read = decoding.advance(np.array([prompt.tokens]), every=True)[0]
    no_speech = float(np.exp(log_softmax(read[prompt.start]))[speech.no_speech])
    scores = read[-1]
    for _ in range(ports.max_length - len(prompt.tokens)):
        kept = without(scores[None], [*ports.suppress, *(() if tokens else ports.suppress_first)])
        scores = rules.allowed(kept[0], tokens)
        token = int(scores.argmax()) if temperature == 0 else draw(scores / temperature, rng)
        total += float(log_softmax(scores)[token])
        tokens.append(token)
        if token in ports.stop or len(prompt.tokens) + len(tokens) == ports.max_length:
            break
        scores = decoding.advance(np.array([[token]]))[0]
    said = tokens[:-1] if tokens[-1] in ports.stop else tokens
    packed = compression_ratio(tokens, ports.vocabulary)
    return Written(tuple(said), temperature, total / len(tokens), packed, no_speech)


def speech_of(ports: Generation) -> Speech:
    """The tokens of speech, which a bundle that transcribes has."""
    assert ports.speech is not None
    return ports.speech


def compression_ratio(tokens: Sequence[int], vocabulary: int) -> float:
    """How much shorter zlib makes the tokens, as bytes.

    >>> compression_ratio([5] * 100, 300) > 10 > compression_ratio(range(100), 300)
    True
    """
    size = (vocabulary.bit_length() - 1) // 8 + 1
    content = b"".join(token.to_bytes(size, "little") for token in tokens)
    return len(content) / len(zlib.compress(content))
