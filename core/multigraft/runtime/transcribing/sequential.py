"""Sequential transcription: each window begins where the last one's text ended (Radford et al.
2022, section 3.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from multigraft.contracts.reader import LongReader
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import PredictError, did_you_mean
from multigraft.runtime.generation.decoder_cache import Decoding
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.transcribing.asks import COLD, DETECT, Guards
from multigraft.runtime.transcribing.open_sound import opened
from multigraft.runtime.transcribing.segments import Segment, as_context, cut
from multigraft.runtime.transcribing.window import Prompt, Written, speech_of, write_window


@dataclass(frozen=True)
class Spoken:
    """A segment of the sound: seconds of it, and what is said."""

    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    language: str | None
    written: Written

    def answer(self) -> Answer:
        """As people get it."""
        found: Answer = {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "text": self.text,
            "logprob": round(self.written.logprob, 4),
            "no_speech": round(self.written.no_speech, 4),
            "temperature": self.written.temperature,
        }
        return found if self.language is None else {**found, "language": self.language}


def transcribe(
    generator: Generator, reader: LongReader, raw: Any, asked: Mapping[str, Any]
) -> Iterator[Spoken]:
    """The segments of a sound, in order. Raises RowError, or PredictError for a language."""
    told = {name: value for name, value in asked.items() if name not in ("language", "task")}
    guards, begun, start = Guards(**told), None, 0.0
    with opened(reader, raw) as at:
        while (stretch := at(start)) is not None:
            behind = stretch.seconds
            if stretch.level >= guards.quiet:
                batch = collate([stretch.row], generator.reader.fills)
                if begun is None:
                    first = _begin(generator, batch, asked["language"], asked["task"])
                    begun = _Transcript(generator, guards, *first)
                spoken, behind = begun.hear(batch, start, stretch.seconds)
                yield from spoken
            start += behind


REMEMBERED = 448
"""Segments whose text may be told: each has a token at least."""


@dataclass
class _Transcript:
    """What was written of a sound until now, and how it goes on."""

    generator: Generator
    guards: Guards
    language: str | None
    begin: tuple[int, ...]
    """What every window's text begins with."""
    past: list[Segment] = field(default_factory=list)
    telling: bool = True
    """Whether the next window is told the past."""

    def __post_init__(self) -> None:
        self.telling = self.guards.previous_text
        self._rng = np.random.default_rng(self.guards.seed)

    def hear(self, batch: Arrays, start: float, seconds: float) -> tuple[list[Spoken], float]:
        """The segments of a window of so many seconds, and how far behind it the next begins."""
        again = _Again(self.generator, batch, self.guards)
        prompt = _prompt(self.past if self.telling else [], self.begin, self.generator)
        written = write_window(again, prompt, self.guards, self._rng)
        self.telling = self.guards.previous_text and written.temperature < COLD
        if written.silent(self.guards):
            return [], seconds
        segments, behind = cut(written.tokens, speech_of(self.generator.ports), seconds)
        self.past = [*self.past, *segments][-REMEMBERED:]
        # a text that tells no time to go on from would be heard for ever
        return self._spoken(segments, start, written), behind if behind > 0 else seconds

    def _spoken(self, segments: Sequence[Segment], start: float, written: Written) -> list[Spoken]:
        texts = [self.generator.reader.text(each.tokens).strip() for each in segments]
        return [
            Spoken(start + each.start, start + each.end, text, each.tokens, self.language, written)
            for each, text in zip(segments, texts, strict=True)
            if text
        ]


@dataclass(frozen=True)
class _Again:
    """Texts about one window, which its encoder hears once."""

    generator: Generator
    batch: Arrays
    guards: Guards

    def __iter__(self) -> Iterator[Decoding]:
        begun = self.generator.begin(self.batch, 1)
        for _ in self.guards.temperatures:
            yield begun.again()


def _prompt(past: Sequence[Segment], begin: Sequence[int], generator: Generator) -> Prompt:
    """Earlier text, half of what the decoder holds at most, and the start."""
    speech, most = speech_of(generator.ports), generator.ports.max_length // 2 - 1
    told = [speech.previous, *as_context(past, speech, most)] if past else []
    return Prompt((*told, *begin), len(told))


def _begin(
    generator: Generator, batch: Arrays, language: str | None, task: str | None
) -> tuple[str | None, tuple[int, ...]]:
    """The language, where there are several, and what a text with times begins with."""
    ports, speech = generator.ports, speech_of(generator.ports)
    start, codes = ports.start[0], {number: code for code, number in speech.languages.items()}
    own = next((codes[token] for token in ports.start if token in codes), None)
    doing = next((name for name, token in speech.tasks.items() if token in ports.start), None)
    if not codes:
        _refuse(language=language, task=task)
        return None, (start,)
    if (language or own or DETECT) == DETECT:
        language = _detected(generator.begin(batch, 1), start, codes)
    found = _known("language", language or own, speech.languages)
    chosen = _known("task", task or doing or "transcribe", speech.tasks)
    return found, (start, speech.languages[found], speech.tasks[chosen])


def _detected(decoding: Decoding, start: int, codes: dict[int, str]) -> str:
    scores = decoding.advance(np.array([[start]]))[0]
    return codes[max(codes, key=lambda token: scores[token])]


def _refuse(**asked: str | None) -> None:
    for name, value in asked.items():
        if value is not None:
            raise PredictError(
                f"{name} is {value!r}; this bundle writes one language: leave it out"
            )


def _known(name: str, value: str | None, allowed: dict[str, int]) -> str:
    if value not in allowed:
        raise PredictError(f"{name} is {value!r}; {did_you_mean(str(value), list(allowed))}")
    return str(value)
