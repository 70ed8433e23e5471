"""Sequential transcription: each window begins where the last one's text ended (Radford et al.
2022, section 3.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import numpy as np

from multigraft.contracts.reader import LOUDNESS_STEP, LongReader, Stretch
from multigraft.contracts.readers import collate
from multigraft.contracts.types import Answer, Arrays
from multigraft.errors import PredictError, did_you_mean
from multigraft.runtime.generation.decoder_cache import Decoding
from multigraft.runtime.generation.generator import Generator
from multigraft.runtime.transcribing.asks import COLD, DETECT, Guards
from multigraft.runtime.transcribing.open_sound import opened
from multigraft.runtime.transcribing.segments import Segment, as_context, cut
from multigraft.runtime.transcribing.token_words import SPACELESS, TokenWord, token_words
from multigraft.runtime.transcribing.window import Prompt, Written, speech_of, write_window
from multigraft.runtime.transcribing.word_times import listen, shifted, word_times


@dataclass(frozen=True)
class Spoken:
    """A segment of the sound: seconds of it, and what is said."""

    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    language: str | None
    written: Written
    words: Sequence[Answer] | None = None
    """Each with its time, where they are asked for."""

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
        if self.language is not None:
            found["language"] = self.language
        return found if self.words is None else {**found, "words": list(self.words)}


def transcribe(
    generator: Generator, reader: LongReader, raw: Any, asked: Mapping[str, Any]
) -> Iterator[Spoken]:
    """The segments of a sound, in order. Raises RowError, or PredictError for a language."""
    for _, spoken in windows(generator, reader, raw, asked):
        yield from spoken


def windows(
    generator: Generator, reader: LongReader, raw: Any, asked: Mapping[str, Any]
) -> Iterator[tuple[float, Sequence[Spoken]]]:
    """The second up to which a sound was heard, and the segments of the last window."""
    told = {name: value for name, value in asked.items() if name not in ("language", "task")}
    guards, begun, start = Guards(**told), None, 0.0
    with opened(reader, raw) as at:
        while (stretch := at(start)) is not None:
            behind, spoken = stretch.seconds, list[Spoken]()
            if stretch.level >= guards.quiet:
                batch = collate([stretch.row], generator.reader.fills)
                if begun is None:
                    first = _begin(generator, batch, asked["language"], asked["task"])
                    begun = _Transcript(generator, guards, *first)
                spoken, behind = begun.hear(batch, start, stretch)
            start += behind
            yield start, spoken


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

    def hear(self, batch: Arrays, start: float, stretch: Stretch) -> tuple[list[Spoken], float]:
        """The segments of a window, its row as a batch, and how far behind it the next begins."""
        seconds = stretch.seconds
        about = self.generator.begin(batch, 1)
        prompt = _prompt(self.past if self.telling else [], self.begin, self.generator)
        texts = (about.again() for _ in self.guards.temperatures)
        written = write_window(texts, prompt, self.guards, self._rng)
        self.telling = self.guards.previous_text and written.temperature < COLD
        if written.silent(self.guards):
            return [], seconds
        segments, behind = cut(written.tokens, speech_of(self.generator.ports), seconds)
        self.past = [*self.past, *segments][-REMEMBERED:]
        # a text that tells no time to go on from would be heard for ever
        behind = behind if behind > 0 else seconds
        spoken = self._spoken(segments, start, written)
        if self.guards.words and spoken:
            loudness = stretch.loudness[: round(behind / LOUDNESS_STEP)]
            spoken = self._timed(about, spoken, start, (behind, loudness))
        return spoken, behind

    def _spoken(self, segments: Sequence[Segment], start: float, written: Written) -> list[Spoken]:
        texts = [self.generator.reader.text(each.tokens).strip() for each in segments]
        return [
            Spoken(start + each.start, start + each.end, text, each.tokens, self.language, written)
            for each, text in zip(segments, texts, strict=True)
            if text
        ]

    def _timed(
        self,
        about: Decoding,
        spoken: Sequence[Spoken],
        start: float,
        sound: tuple[float, np.ndarray],
    ) -> list[Spoken]:
        """The same segments with the times of their words; of the ``sound`` that they are about, a
        window's beginning, the seconds and the loudness."""
        seconds, loudness = sound
        said = [self._letters(each.tokens) for each in spoken]
        tokens = [token for part in said for token in part]
        heard = listen(about.again(), self.begin, tokens, seconds)
        words = [self._words(part, said[:place]) for place, part in enumerate(said)]
        every = [word for part in words for word in part]
        told = iter(word_times(every, heard, loudness))
        return [
            replace(each, words=[shifted(word, start) for word in islice(told, len(part))])
            for each, part in zip(spoken, words, strict=True)
        ]

    def _words(self, part: Sequence[int], before: Sequence[Sequence[int]]) -> list[TokenWord]:
        """The words of a segment, whose tokens are counted behind those of the segments before."""
        spaced, behind = self.language not in SPACELESS, sum(map(len, before))
        found = token_words(part, self.generator.reader.text, spaced=spaced)
        return [replace(word, first=word.first + behind, last=word.last + behind) for word in found]

    def _letters(self, tokens: Sequence[int]) -> list[int]:
        """Those that write something: times and special ones lie behind all others."""
        return [token for token in tokens if token < min(self.generator.ports.stop)]


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
